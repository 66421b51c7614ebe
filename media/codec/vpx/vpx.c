#include "vpx.h"

#include <stdlib.h>

struct vpxenc {
  vpx_codec_ctx_t ctx;
  vpx_codec_enc_cfg_t cfg;
  vpx_image_t img;
  vpx_codec_iter_t iter;
  int vp9;
};

// fill sets what libvpx's configuration struct holds. The rate control numbers are those
// that WebRTC has used for years (libvpx_vp8_encoder.cc, libvpx_vp9_encoder.cc).
static void fill(vpx_codec_enc_cfg_t *cfg, const vpxenc_settings *s) {
  cfg->g_w = s->width;
  cfg->g_h = s->height;
  cfg->g_threads = s->threads;
  cfg->g_timebase.num = 1;
  cfg->g_timebase.den = VPXENC_TIMEBASE;
  cfg->g_pass = VPX_RC_ONE_PASS;
  cfg->g_lag_in_frames = 0;
  // Losses are repaired by retransmission or a new keyframe before decoding goes on, so
  // frames may lean on each other's entropy context.
  cfg->g_error_resilient = 0;
  cfg->kf_mode = VPX_KF_DISABLED;  // a keyframe comes when somebody asks for it
  cfg->rc_end_usage = VPX_CBR;
  cfg->rc_target_bitrate = s->kbps;
  cfg->rc_resize_allowed = 0;
  cfg->rc_dropframe_thresh = 30;
  cfg->rc_min_quantizer = s->vp9 ? (s->screen ? 8 : 2) : (s->screen ? 12 : 2);
  cfg->rc_max_quantizer = s->max_quantizer;
  if (cfg->rc_min_quantizer > cfg->rc_max_quantizer) cfg->rc_min_quantizer = cfg->rc_max_quantizer;
  cfg->rc_undershoot_pct = s->vp9 ? 50 : 100;
  cfg->rc_overshoot_pct = s->vp9 ? 50 : 15;
  cfg->rc_buf_initial_sz = s->buffer_ms;
  cfg->rc_buf_optimal_sz = s->buffer_ms;
  cfg->rc_buf_sz = s->trim ? s->buffer_ms : s->buffer_ms * 5 / 3;
  // The base layer has every second frame and three fifths of the bits (libwebrtc,
  // simulcast_rate_allocator.cc); bit rates of layers are cumulative.
  cfg->ts_number_layers = s->temporal ? 2 : 1;
  cfg->ts_periodicity = s->temporal ? 2 : 1;
  cfg->ts_layer_id[0] = 0;
  cfg->ts_layer_id[1] = 1;
  cfg->ts_rate_decimator[0] = s->temporal ? 2 : 1;
  cfg->ts_rate_decimator[1] = 1;
  cfg->ts_target_bitrate[0] = s->temporal ? s->kbps * 3 / 5 : s->kbps;
  cfg->ts_target_bitrate[1] = s->kbps;
}

// What frames of the two temporal layers lean on and leave behind: those of the base lean on the
// one before in the base; the others lean on the base, and nothing leans on them.
static const vpx_enc_frame_flags_t kBase = VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF |
                                           VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF;
static const vpx_enc_frame_flags_t kDroppable = VP8_EFLAG_NO_REF_GF | VP8_EFLAG_NO_REF_ARF |
                                                VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF |
                                                VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_UPD_ENTROPY;

#define CONTROL(id, value)                                        \
  do {                                                            \
    vpx_codec_err_t err = vpx_codec_control(&e->ctx, id, value);  \
    if (err != VPX_CODEC_OK) return err;                          \
  } while (0)

static vpx_codec_err_t controls(vpxenc *e, const vpxenc_settings *s) {
  CONTROL(VP8E_SET_CPUUSED, s->speed);
  CONTROL(VP8E_SET_MAX_INTRA_BITRATE_PCT, s->max_intra_pct);
  if (s->vp9) {
    CONTROL(VP8E_SET_STATIC_THRESHOLD, 1);
    CONTROL(VP9E_SET_TUNE_CONTENT, s->screen ? VP9E_CONTENT_SCREEN : VP9E_CONTENT_DEFAULT);
    CONTROL(VP9E_SET_AQ_MODE, 3);  // cyclic refresh
    CONTROL(VP9E_SET_ROW_MT, s->threads > 1);
    CONTROL(VP9E_SET_TILE_COLUMNS, (int)s->tile_columns);
    CONTROL(VP9E_SET_FRAME_PARALLEL_DECODING, 0);
    CONTROL(VP9E_SET_GF_CBR_BOOST_PCT, 0);
    CONTROL(VP9E_SET_NOISE_SENSITIVITY, 0);
  } else {
    CONTROL(VP8E_SET_STATIC_THRESHOLD, s->screen ? 100 : 1);
    CONTROL(VP8E_SET_NOISE_SENSITIVITY, 0);
    CONTROL(VP8E_SET_TOKEN_PARTITIONS, s->threads > 1 ? VP8_TWO_TOKENPARTITION : VP8_ONE_TOKENPARTITION);
    CONTROL(VP8E_SET_SCREEN_CONTENT_MODE, s->screen ? 2u : 0u);
  }
  return VPX_CODEC_OK;
}

vpx_codec_err_t vpxenc_new(vpxenc **out, const vpxenc_settings *s) {
  vpx_codec_iface_t *iface = s->vp9 ? vpx_codec_vp9_cx() : vpx_codec_vp8_cx();
  vpxenc *e = calloc(1, sizeof *e);
  if (e == NULL) return VPX_CODEC_MEM_ERROR;
  e->vp9 = s->vp9;
  vpx_codec_err_t err = vpx_codec_enc_config_default(iface, &e->cfg, 0);
  if (err == VPX_CODEC_OK) {
    fill(&e->cfg, s);
    err = vpx_codec_enc_init(&e->ctx, iface, &e->cfg, 0);
  }
  if (err != VPX_CODEC_OK) {
    free(e);
    return err;
  }
  err = controls(e, s);
  if (err != VPX_CODEC_OK) {
    vpxenc_free(e);
    return err;
  }
  *out = e;
  return VPX_CODEC_OK;
}

vpx_codec_err_t vpxenc_configure(vpxenc *e, const vpxenc_settings *s) {
  fill(&e->cfg, s);
  vpx_codec_err_t err = vpx_codec_enc_config_set(&e->ctx, &e->cfg);
  if (err != VPX_CODEC_OK) return err;
  return controls(e, s);
}

vpx_codec_err_t vpxenc_encode(vpxenc *e, uint8_t *y, uint8_t *u, uint8_t *v, int ystride, int uvstride,
                              int64_t pts, uint64_t duration, int key, int temporal) {
  e->iter = NULL;
  vpx_enc_frame_flags_t flags = 0;
  if (key) {
    flags = VPX_EFLAG_FORCE_KF;
  } else if (e->cfg.ts_number_layers > 1) {
    flags = temporal ? kDroppable : kBase;
  }
  if (e->cfg.ts_number_layers > 1) {
    vpx_codec_err_t err = vpx_codec_control(&e->ctx, VP8E_SET_TEMPORAL_LAYER_ID, key ? 0 : temporal);
    if (err != VPX_CODEC_OK) return err;
  }
  // The wrap gives every field but the planes and strides, which follow.
  if (!vpx_img_wrap(&e->img, VPX_IMG_FMT_I420, e->cfg.g_w, e->cfg.g_h, 1, y)) return VPX_CODEC_INVALID_PARAM;
  e->img.planes[VPX_PLANE_Y] = y;
  e->img.planes[VPX_PLANE_U] = u;
  e->img.planes[VPX_PLANE_V] = v;
  e->img.stride[VPX_PLANE_Y] = ystride;
  e->img.stride[VPX_PLANE_U] = uvstride;
  e->img.stride[VPX_PLANE_V] = uvstride;
  vpx_codec_err_t err = vpx_codec_encode(&e->ctx, &e->img, pts, (unsigned long)duration,
                                         flags, VPX_DL_REALTIME);
  // The planes are Go's: nothing of them is kept past this call.
  e->img.planes[VPX_PLANE_Y] = e->img.planes[VPX_PLANE_U] = e->img.planes[VPX_PLANE_V] = NULL;
  e->img.img_data = NULL;
  return err;
}

const uint8_t *vpxenc_next(vpxenc *e, size_t *size, int *key) {
  const vpx_codec_cx_pkt_t *pkt;
  while ((pkt = vpx_codec_get_cx_data(&e->ctx, &e->iter)) != NULL) {
    if (pkt->kind != VPX_CODEC_CX_FRAME_PKT) continue;
    *size = pkt->data.frame.sz;
    *key = (pkt->data.frame.flags & VPX_FRAME_IS_KEY) != 0;
    return pkt->data.frame.buf;
  }
  return NULL;
}

void vpxenc_free(vpxenc *e) {
  vpx_codec_destroy(&e->ctx);
  free(e);
}

struct vpxdec {
  vpx_codec_ctx_t ctx;
};

vpx_codec_err_t vpxdec_new(vpxdec **out, int vp9, unsigned threads) {
  vpx_codec_dec_cfg_t cfg = {.threads = threads};
  vpxdec *d = calloc(1, sizeof *d);
  if (d == NULL) return VPX_CODEC_MEM_ERROR;
  vpx_codec_err_t err = vpx_codec_dec_init(&d->ctx, vp9 ? vpx_codec_vp9_dx() : vpx_codec_vp8_dx(), &cfg, 0);
  if (err != VPX_CODEC_OK) {
    free(d);
    return err;
  }
  *out = d;
  return VPX_CODEC_OK;
}

vpx_codec_err_t vpxdec_decode(vpxdec *d, const uint8_t *data, size_t size, vpxdec_frame *out) {
  out->width = out->height = 0;
  vpx_codec_err_t err = vpx_codec_decode(&d->ctx, data, (unsigned)size, NULL, 0);
  // Frames are taken after an error too: they would come back with the next one.
  vpx_codec_iter_t iter = NULL;
  const vpx_image_t *img, *last = NULL;
  while ((img = vpx_codec_get_frame(&d->ctx, &iter)) != NULL) last = img;
  if (err != VPX_CODEC_OK || last == NULL) return err;
  // VP8 patches up a frame cut short; VP9 answers for the frame just taken.
  int corrupted = 0;
  err = vpx_codec_control(&d->ctx, VP8D_GET_FRAME_CORRUPTED, &corrupted);
  if (err != VPX_CODEC_OK) return err;
  if (corrupted) return VPX_CODEC_CORRUPT_FRAME;
  out->y = last->planes[VPX_PLANE_Y];
  out->u = last->planes[VPX_PLANE_U];
  out->v = last->planes[VPX_PLANE_V];
  out->ystride = last->stride[VPX_PLANE_Y];
  out->uvstride = last->stride[VPX_PLANE_U];
  out->width = last->d_w;
  out->height = last->d_h;
  out->i420 = last->fmt == VPX_IMG_FMT_I420;
  return VPX_CODEC_OK;
}

void vpxdec_free(vpxdec *d) {
  vpx_codec_destroy(&d->ctx);
  free(d);
}
