// A camera for a kernel without one: preloaded into a test, this library answers what is
// asked of the file $FAKE_V4L2 as a V4L2 driver would (linux/videodev2.h). The camera has
// the modes of a cheap webcam: YUYV 1280x720 at 10 and 640x480 at 30 frames a second, and
// MJPEG 1280x720 at 30, whose picture is the file $FAKE_JPEG. $FAKE_FAULT is what goes wrong:
// denied, busy, streaming (another program does), unplug (after 10 frames), damaged (the
// first 3 frames), raw (no MJPEG).
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { buffers = 4, room = 1280 * 720 * 2 };

static int camera = -1;
static int frames;
static uint32_t fourcc;
static uint32_t queued[buffers], queue_length;
static char *memory;

static int fault(const char *name) {
	const char *f = getenv("FAKE_FAULT");
	return f && !strcmp(f, name);
}

static int gone(void) { return fault("unplug") && frames >= 10; }

static int fail(int e) {
	errno = e;
	return -1;
}

int open(const char *path, int flags, ...) {
	va_list ap;
	va_start(ap, flags);
	int mode = va_arg(ap, int);
	va_end(ap);
	const char *mine = getenv("FAKE_V4L2");
	if (!mine || strcmp(mine, path)) return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fault("denied")) return fail(EACCES);
	if (fault("unplug") && frames >= 10) return fail(ENODEV);
	camera = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return camera;
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset) {
	if (fd >= 0 && fd == camera) {
		if (!memory) memory = (char *)syscall(SYS_mmap, NULL, buffers * room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		fd = -1, flags |= MAP_ANONYMOUS | MAP_FIXED, addr = memory + offset, offset = 0;
	}
	return (void *)syscall(SYS_mmap, addr, length, prot, flags, fd, offset);
}

int poll(struct pollfd *p, nfds_t n, int ms) {
	for (nfds_t i = 0; i < n; i++) {
		if (p[i].fd == camera && camera >= 0 && gone()) {
			p[i].revents = POLLERR;
			return 1;
		}
	}
	return syscall(SYS_poll, p, n, ms);
}

static void set_timer(long ns) {
	struct itimerspec t = {{0, ns}, {0, ns}};
	timerfd_settime(camera, 0, &t, NULL);
}

static int dequeue(struct v4l2_buffer *b) {
	uint64_t ticks;
	if (gone()) return fail(ENODEV);
	if (!queue_length || read(camera, &ticks, sizeof ticks) < 0) return fail(EAGAIN);
	b->index = queued[0];
	memmove(queued, queued + 1, --queue_length * sizeof queued[0]);
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	b->timestamp.tv_sec = now.tv_sec, b->timestamp.tv_usec = now.tv_nsec / 1000;
	b->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
	char *to = memory + b->index * room;
	if (fourcc == V4L2_PIX_FMT_MJPEG) {
		FILE *f = fopen(getenv("FAKE_JPEG"), "r");
		b->bytesused = fread(to, 1, room, f);
		fclose(f);
		if (fault("damaged") && frames == 0) b->bytesused /= 2;
		if (fault("damaged") && frames == 1) b->bytesused = 0;
		if (fault("damaged") && frames == 2) b->flags |= V4L2_BUF_FLAG_ERROR;
	} else {
		for (int i = 0; i < room; i += 4) memcpy(to + i, "\x51\x5a\x51\xf0", 4); // red
		b->bytesused = 640 * 480 * 2;
	}
	frames++;
	return 0;
}

int ioctl(int fd, unsigned long request, ...) {
	va_list ap;
	va_start(ap, request);
	void *arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != camera || fd < 0) return syscall(SYS_ioctl, fd, request, arg);
	static const struct { uint32_t fourcc, w, h, fps; } modes[] = {
		{V4L2_PIX_FMT_YUYV, 1280, 720, 10}, {V4L2_PIX_FMT_YUYV, 640, 480, 30}, {V4L2_PIX_FMT_MJPEG, 1280, 720, 30},
	};
	switch (request) {
	case VIDIOC_QUERYCAP: {
		struct v4l2_capability *c = arg;
		strcpy((char *)c->card, "Cheap Webcam");
		c->capabilities = V4L2_CAP_DEVICE_CAPS;
		c->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
		return 0;
	}
	case VIDIOC_ENUM_FMT: {
		struct v4l2_fmtdesc *d = arg;
		static const uint32_t all[] = {V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_Z16, V4L2_PIX_FMT_MJPEG};
		if (d->index >= (fault("raw") ? 2 : 3)) return fail(EINVAL);
		d->pixelformat = all[d->index];
		return 0;
	}
	case VIDIOC_ENUM_FRAMESIZES: {
		struct v4l2_frmsizeenum *e = arg;
		uint32_t n = 0;
		for (int i = 0; i < 3; i++) {
			if (modes[i].fourcc != e->pixel_format || n++ != e->index) continue;
			e->type = V4L2_FRMSIZE_TYPE_DISCRETE;
			e->discrete.width = modes[i].w, e->discrete.height = modes[i].h;
			return 0;
		}
		return fail(EINVAL);
	}
	case VIDIOC_ENUM_FRAMEINTERVALS: {
		struct v4l2_frmivalenum *e = arg;
		for (int i = 0; i < 3; i++) {
			if (modes[i].fourcc != e->pixel_format || modes[i].w != e->width || e->index) continue;
			e->type = V4L2_FRMIVAL_TYPE_DISCRETE;
			e->discrete.numerator = 1, e->discrete.denominator = modes[i].fps;
			return 0;
		}
		return fail(EINVAL);
	}
	case VIDIOC_S_FMT: {
		struct v4l2_format *f = arg;
		if (fault("busy")) return fail(EBUSY);
		fourcc = f->fmt.pix.pixelformat;
		f->fmt.pix.bytesperline = fourcc == V4L2_PIX_FMT_MJPEG ? 0 : f->fmt.pix.width * 2;
		return 0;
	}
	case VIDIOC_S_PARM: {
		struct v4l2_streamparm *p = arg;
		return p->parm.capture.timeperframe.denominator == 30 ? 0 : fail(EINVAL);
	}
	case VIDIOC_REQBUFS: {
		struct v4l2_requestbuffers *q = arg;
		return q->count && fault("streaming") ? fail(EBUSY) : 0;
	}
	case VIDIOC_QUERYBUF: {
		struct v4l2_buffer *b = arg;
		b->length = room, b->m.offset = b->index * room;
		return 0;
	}
	case VIDIOC_QBUF:
		queued[queue_length++] = ((struct v4l2_buffer *)arg)->index;
		return 0;
	case VIDIOC_STREAMON:
		set_timer(33333333);
		return 0;
	case VIDIOC_STREAMOFF:
		set_timer(0);
		queue_length = 0;
		memory = NULL;
		return 0;
	case VIDIOC_DQBUF:
		return dequeue(arg);
	}
	return fail(ENOTTY);
}
