// A camera for Wine, which has none: a media source as Media Foundation's headers describe it, for Wine's own reader. It has
// a mode in a format that Parley does not know, one that is too slow, and one of 64x48 in YUY2 at 30 frames a second.
// What it does is chosen by behave().
#define COBJMACROS
#include <initguid.h>
#include <windows.h>
#include <mfapi.h>
#include <mfidl.h>
#include <mferror.h>

enum { HONEST, UNPLUGGED, SILENT, BUSY, FORBIDDEN, ABSENT, FAILING };

static const GUID nothing;
static LONG behaviour, alive; // objects that somebody holds
static int given;             // pictures since the start

static IMFActivate activate;
static IMFMediaSource source;
static IMFMediaStream stream;
static IMFMediaEventQueue *source_events, *stream_events;
static IMFPresentationDescriptor *descriptor;
static IMFStreamDescriptor *stream_descriptor;

__declspec(dllexport) void behave(int how) { behaviour = how; }

// held is how many objects somebody holds. The camera must not run.
__declspec(dllexport) int held(void) {
	if (source_events) {
		IMFMediaEventQueue_Shutdown(source_events); // what waits for events holds the camera too
		IMFMediaEventQueue_Shutdown(stream_events);
		for (int tenths = 0; tenths < 20 && alive > 0; tenths++)
			Sleep(100); // those who wait are told on another thread
	}
	return alive;
}

static ULONG STDMETHODCALLTYPE add_ref(void *this) { return InterlockedIncrement(&alive); }
static ULONG STDMETHODCALLTYPE release(void *this) { return InterlockedDecrement(&alive); }

// query answers for every interface that an object has; nobody asks for others.
static HRESULT STDMETHODCALLTYPE query(void *this, REFIID id, void **out) {
	if (!IsEqualGUID(id, &IID_IUnknown) && !IsEqualGUID(id, &IID_IMFMediaSource) && !IsEqualGUID(id, &IID_IMFMediaStream) &&
	    !IsEqualGUID(id, &IID_IMFMediaEventGenerator)) {
		*out = NULL;
		return E_NOINTERFACE;
	}
	add_ref(this);
	*out = this;
	return S_OK;
}

static IMFMediaEventQueue *events(void *this) { return this == &source ? source_events : stream_events; }
static HRESULT STDMETHODCALLTYPE get_event(void *this, DWORD flags, IMFMediaEvent **e) {
	return IMFMediaEventQueue_GetEvent(events(this), flags, e);
}
static HRESULT STDMETHODCALLTYPE begin_get_event(void *this, IMFAsyncCallback *callback, IUnknown *state) {
	return IMFMediaEventQueue_BeginGetEvent(events(this), callback, state);
}
static HRESULT STDMETHODCALLTYPE end_get_event(void *this, IMFAsyncResult *result, IMFMediaEvent **e) {
	return IMFMediaEventQueue_EndGetEvent(events(this), result, e);
}
static HRESULT STDMETHODCALLTYPE queue_event(void *this, MediaEventType type, REFGUID ext, HRESULT hr, const PROPVARIANT *value) {
	return IMFMediaEventQueue_QueueEventParamVar(events(this), type, ext, hr, value);
}

static HRESULT STDMETHODCALLTYPE get_characteristics(IMFMediaSource *this, DWORD *out) {
	*out = MFMEDIASOURCE_IS_LIVE;
	return S_OK;
}
static HRESULT STDMETHODCALLTYPE create_descriptor(IMFMediaSource *this, IMFPresentationDescriptor **out) {
	return IMFPresentationDescriptor_Clone(descriptor, out);
}
static HRESULT STDMETHODCALLTYPE start(IMFMediaSource *this, IMFPresentationDescriptor *d, const GUID *format, const PROPVARIANT *position) {
	if (behaviour == BUSY)
		return MF_E_HW_MFT_FAILED_START_STREAMING;
	given = 0;
	IMFMediaEventQueue_QueueEventParamUnk(source_events, MENewStream, &nothing, S_OK, (IUnknown *)&stream);
	IMFMediaEventQueue_QueueEventParamVar(source_events, MESourceStarted, &nothing, S_OK, position);
	return IMFMediaEventQueue_QueueEventParamVar(stream_events, MEStreamStarted, &nothing, S_OK, position);
}
static HRESULT STDMETHODCALLTYPE stop(IMFMediaSource *this) { return S_OK; }
static HRESULT STDMETHODCALLTYPE shut_down(IMFMediaSource *this) {
	return IMFMediaEventQueue_QueueEventParamVar(stream_events, MEEndOfStream, &nothing, S_OK, NULL); // wakes the reader
}

static HRESULT STDMETHODCALLTYPE get_source(IMFMediaStream *this, IMFMediaSource **out) {
	add_ref(&source);
	*out = &source;
	return S_OK;
}
static HRESULT STDMETHODCALLTYPE get_descriptor(IMFMediaStream *this, IMFStreamDescriptor **out) {
	IMFStreamDescriptor_AddRef(stream_descriptor);
	*out = stream_descriptor;
	return S_OK;
}

// request_sample gives a grey picture with padded rows of 144 bytes. Its brightness is the number of the picture.
static HRESULT STDMETHODCALLTYPE request_sample(IMFMediaStream *this, IUnknown *token) {
	const DWORD size = 144 * 48;
	IMFMediaBuffer *buffer;
	IMFSample *sample;
	BYTE *data;
	if (given == 3 && behaviour == UNPLUGGED)
		return IMFMediaEventQueue_QueueEventParamVar(stream_events, MEEndOfStream, &nothing, S_OK, NULL);
	if (given == 3 && behaviour == SILENT)
		return S_OK;
	Sleep(33);
	given++;
	MFCreateMemoryBuffer(size, &buffer);
	IMFMediaBuffer_Lock(buffer, &data, NULL, NULL);
	for (DWORD i = 0; i < size; i++)
		data[i] = i % 144 >= 128 ? 255 : i % 2 ? 128 : 16 + given;
	IMFMediaBuffer_Unlock(buffer);
	IMFMediaBuffer_SetCurrentLength(buffer, behaviour == FAILING ? 7 : size);
	MFCreateSample(&sample);
	IMFSample_AddBuffer(sample, buffer);
	IMFSample_SetSampleTime(sample, given * 333333);
	if (token)
		IMFSample_SetUnknown(sample, &MFSampleExtension_Token, token);
	IMFMediaBuffer_Release(buffer);
	IMFMediaEventQueue_QueueEventParamUnk(stream_events, MEMediaSample, &nothing, S_OK, (IUnknown *)sample);
	IMFSample_Release(sample);
	return S_OK;
}

static IMFMediaSourceVtbl source_methods = {
	(void *)query, (void *)add_ref, (void *)release, (void *)get_event, (void *)begin_get_event, (void *)end_get_event,
	(void *)queue_event, get_characteristics, create_descriptor, start, stop, stop, shut_down,
};
static IMFMediaStreamVtbl stream_methods = {
	(void *)query, (void *)add_ref, (void *)release, (void *)get_event, (void *)begin_get_event, (void *)end_get_event,
	(void *)queue_event, get_source, get_descriptor, request_sample,
};
static IMFMediaSource source = {&source_methods};
static IMFMediaStream stream = {&stream_methods};

static IMFMediaType *type(const GUID *format, UINT32 w, UINT32 h, UINT32 rate) {
	IMFMediaType *t;
	MFCreateMediaType(&t);
	IMFMediaType_SetGUID(t, &MF_MT_MAJOR_TYPE, &MFMediaType_Video);
	IMFMediaType_SetGUID(t, &MF_MT_SUBTYPE, format);
	IMFMediaType_SetUINT64(t, &MF_MT_FRAME_SIZE, (UINT64)w << 32 | h);
	IMFMediaType_SetUINT64(t, &MF_MT_FRAME_RATE, (UINT64)rate << 32 | 1);
	return t;
}

static HRESULT STDMETHODCALLTYPE activate_object(IMFActivate *this, REFIID id, void **out) {
	IMFMediaTypeHandler *handler;
	if (behaviour == FORBIDDEN)
		return E_ACCESSDENIED;
	IMFMediaType *types[] = {
		type(&MFVideoFormat_H264, 1280, 720, 30), type(&MFVideoFormat_YUY2, 64, 48, 5), type(&MFVideoFormat_YUY2, 64, 48, 30),
	};
	held(); // of the last time that it was opened
	MFCreateEventQueue(&source_events);
	MFCreateEventQueue(&stream_events);
	MFCreateStreamDescriptor(1, 3, types, &stream_descriptor);
	IMFStreamDescriptor_GetMediaTypeHandler(stream_descriptor, &handler);
	IMFMediaTypeHandler_SetCurrentMediaType(handler, types[1]);
	IMFMediaTypeHandler_Release(handler);
	MFCreatePresentationDescriptor(1, &stream_descriptor, &descriptor);
	IMFPresentationDescriptor_SelectStream(descriptor, 0);
	return query(&source, id, out);
}

static HRESULT STDMETHODCALLTYPE text(IMFActivate *this, REFGUID key, WCHAR **out, UINT32 *length) {
	const WCHAR *is = IsEqualGUID(key, &MF_DEVSOURCE_ATTRIBUTE_FRIENDLY_NAME) ? L"Wooden camera" : L"\\\\?\\usb#wood";
	*length = lstrlenW(is);
	*out = CoTaskMemAlloc((*length + 1) * sizeof(WCHAR));
	lstrcpyW(*out, is);
	return S_OK;
}

static IMFActivateVtbl activate_methods = {
	.QueryInterface = (void *)query, .AddRef = (void *)add_ref, .Release = (void *)release,
	.GetAllocatedString = text, .ActivateObject = activate_object,
};

__declspec(dllexport) HRESULT WINAPI MFEnumDeviceSources(IMFAttributes *wanted, IMFActivate ***out, UINT32 *count) {
	GUID kind;
	if (FAILED(IMFAttributes_GetGUID(wanted, &MF_DEVSOURCE_ATTRIBUTE_SOURCE_TYPE, &kind)) ||
	    !IsEqualGUID(&kind, &MF_DEVSOURCE_ATTRIBUTE_SOURCE_TYPE_VIDCAP_GUID))
		return E_INVALIDARG;
	*count = behaviour == ABSENT ? 0 : 1;
	*out = CoTaskMemAlloc(sizeof(**out));
	activate.lpVtbl = &activate_methods;
	(*out)[0] = &activate;
	if (*count)
		add_ref(&activate);
	return S_OK;
}
