// The part of Video4Linux2 (linux/videodev2.h) that a camera needs. Every function returns
// 0 or a negative errno.
#ifndef PARLEY_V4L2_H
#define PARLEY_V4L2_H

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { parley_buffers = 4 };

typedef struct {
	void *start;
	size_t length;
} parley_buffer;

typedef struct {
	uint32_t min_w, max_w, step_w, min_h, max_h, step_h;
} parley_size;

typedef struct {
	uint32_t width, height, stride;
	uint32_t rate_num, rate_den; // frames a second
} parley_format;

typedef struct {
	uint32_t index, used, flags;
	int64_t sec, usec;
} parley_frame;

static int parley_ioctl(int fd, unsigned long request, void *arg) {
	int r;
	do {
		r = ioctl(fd, request, arg);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

static int parley_v4l2_open(const char *path) {
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

// name has room for 33 bytes.
static int parley_v4l2_query(int fd, char *name, uint32_t *caps) {
	struct v4l2_capability c;
	memset(&c, 0, sizeof c);
	int r = parley_ioctl(fd, VIDIOC_QUERYCAP, &c);
	if (r < 0) return r;
	memcpy(name, c.card, sizeof c.card);
	name[sizeof c.card] = 0;
	*caps = c.capabilities & V4L2_CAP_DEVICE_CAPS ? c.device_caps : c.capabilities;
	return 0;
}

static int parley_v4l2_format_at(int fd, uint32_t i, uint32_t *fourcc) {
	struct v4l2_fmtdesc d;
	memset(&d, 0, sizeof d);
	d.index = i;
	d.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	int r = parley_ioctl(fd, VIDIOC_ENUM_FMT, &d);
	*fourcc = d.pixelformat;
	return r;
}

static int parley_v4l2_size_at(int fd, uint32_t fourcc, uint32_t i, parley_size *s) {
	struct v4l2_frmsizeenum e;
	memset(&e, 0, sizeof e);
	e.index = i;
	e.pixel_format = fourcc;
	int r = parley_ioctl(fd, VIDIOC_ENUM_FRAMESIZES, &e);
	if (r < 0) return r;
	if (e.type == V4L2_FRMSIZE_TYPE_DISCRETE) {
		s->min_w = s->max_w = e.discrete.width;
		s->min_h = s->max_h = e.discrete.height;
		s->step_w = s->step_h = 0;
		return 0;
	}
	s->min_w = e.stepwise.min_width, s->max_w = e.stepwise.max_width, s->step_w = e.stepwise.step_width;
	s->min_h = e.stepwise.min_height, s->max_h = e.stepwise.max_height, s->step_h = e.stepwise.step_height;
	return 0;
}

// A stepwise range is given by its shortest interval, the highest rate.
static int parley_v4l2_rate_at(int fd, uint32_t fourcc, uint32_t w, uint32_t h, uint32_t i, uint32_t *num, uint32_t *den) {
	struct v4l2_frmivalenum e;
	memset(&e, 0, sizeof e);
	e.index = i;
	e.pixel_format = fourcc;
	e.width = w;
	e.height = h;
	int r = parley_ioctl(fd, VIDIOC_ENUM_FRAMEINTERVALS, &e);
	if (r < 0) return r;
	struct v4l2_fract f = e.type == V4L2_FRMIVAL_TYPE_DISCRETE ? e.discrete : e.stepwise.min;
	if (e.type != V4L2_FRMIVAL_TYPE_DISCRETE && i > 0) return -EINVAL;
	*num = f.denominator;
	*den = f.numerator;
	return 0;
}

// Sets format f, and writes back what the driver makes of it.
static int parley_v4l2_set(int fd, uint32_t fourcc, parley_format *f) {
	struct v4l2_format v;
	memset(&v, 0, sizeof v);
	v.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	v.fmt.pix.width = f->width;
	v.fmt.pix.height = f->height;
	v.fmt.pix.pixelformat = fourcc;
	v.fmt.pix.field = V4L2_FIELD_ANY;
	int r = parley_ioctl(fd, VIDIOC_S_FMT, &v);
	if (r < 0) return r;
	if (v.fmt.pix.pixelformat != fourcc) return -EINVAL;
	f->width = v.fmt.pix.width;
	f->height = v.fmt.pix.height;
	f->stride = v.fmt.pix.bytesperline;

	// Not every driver can set a rate; then it has one of its own.
	struct v4l2_streamparm p;
	memset(&p, 0, sizeof p);
	p.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	p.parm.capture.timeperframe.numerator = f->rate_den;
	p.parm.capture.timeperframe.denominator = f->rate_num;
	r = f->rate_num ? parley_ioctl(fd, VIDIOC_S_PARM, &p) : parley_ioctl(fd, VIDIOC_G_PARM, &p);
	if (r == 0 && p.parm.capture.timeperframe.numerator) {
		f->rate_num = p.parm.capture.timeperframe.denominator;
		f->rate_den = p.parm.capture.timeperframe.numerator;
	}
	return r == -EBUSY ? r : 0;
}

static void parley_v4l2_unmap(int fd, parley_buffer *b, uint32_t n) {
	enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	parley_ioctl(fd, VIDIOC_STREAMOFF, &type);
	for (uint32_t i = 0; i < n; i++) munmap(b[i].start, b[i].length);
	struct v4l2_requestbuffers q;
	memset(&q, 0, sizeof q);
	q.type = type;
	q.memory = V4L2_MEMORY_MMAP;
	parley_ioctl(fd, VIDIOC_REQBUFS, &q);
}

static int parley_v4l2_queue(int fd, uint32_t i) {
	struct v4l2_buffer v;
	memset(&v, 0, sizeof v);
	v.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	v.memory = V4L2_MEMORY_MMAP;
	v.index = i;
	return parley_ioctl(fd, VIDIOC_QBUF, &v);
}

// Maps up to parley_buffers buffers into b and starts; *n says how many.
static int parley_v4l2_start(int fd, parley_buffer *b, uint32_t *n) {
	struct v4l2_requestbuffers q;
	memset(&q, 0, sizeof q);
	q.count = parley_buffers;
	q.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	q.memory = V4L2_MEMORY_MMAP;
	*n = 0;
	int r = parley_ioctl(fd, VIDIOC_REQBUFS, &q);
	if (r < 0) return r;
	if (q.count < 2) return -ENOMEM;
	for (uint32_t i = 0; i < q.count && i < parley_buffers; i++) {
		struct v4l2_buffer v;
		memset(&v, 0, sizeof v);
		v.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
		v.memory = V4L2_MEMORY_MMAP;
		v.index = i;
		void *p = MAP_FAILED;
		if ((r = parley_ioctl(fd, VIDIOC_QUERYBUF, &v)) == 0) {
			p = mmap(NULL, v.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, v.m.offset);
			if (p == MAP_FAILED) r = -errno;
		}
		if (r < 0) {
			parley_v4l2_unmap(fd, b, *n);
			return r;
		}
		b[i].start = p;
		b[i].length = v.length;
		++*n;
		if ((r = parley_v4l2_queue(fd, i)) < 0) {
			parley_v4l2_unmap(fd, b, *n);
			return r;
		}
	}
	enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	if ((r = parley_ioctl(fd, VIDIOC_STREAMON, &type)) < 0) parley_v4l2_unmap(fd, b, *n);
	return r;
}

static int parley_v4l2_dequeue(int fd, parley_frame *f) {
	struct v4l2_buffer v;
	memset(&v, 0, sizeof v);
	v.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	v.memory = V4L2_MEMORY_MMAP;
	int r = parley_ioctl(fd, VIDIOC_DQBUF, &v);
	if (r < 0) return r;
	f->index = v.index;
	f->used = v.bytesused;
	f->flags = v.flags;
	f->sec = v.timestamp.tv_sec;
	f->usec = v.timestamp.tv_usec;
	return 0;
}

// Waits for a frame: 1, for the pipe wake: -ECANCELED, for ms milliseconds: 0. A camera
// that was unplugged is -ENODEV.
static int parley_v4l2_wait(int fd, int wake, int ms) {
	struct pollfd p[2] = {{fd, POLLIN, 0}, {wake, POLLIN, 0}};
	int r;
	do {
		r = poll(p, 2, ms);
	} while (r < 0 && errno == EINTR);
	if (r < 0) return -errno;
	if (p[1].revents) return -ECANCELED;
	if (p[0].revents & (POLLERR | POLLHUP | POLLNVAL)) return -ENODEV;
	return r > 0;
}

#endif
