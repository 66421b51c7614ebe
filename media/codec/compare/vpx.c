#include "vpx.h"

#include <stdlib.h>

struct encoder {
  vpx_codec_ctx_t ctx;
  vpx_codec_enc_cfg_t cfg;
  vpx_image_t img;
  vpx_codec_iter_t iter;
  int64_t frame;
};

// fill sets what the product sets (../vpx.c), for 30 frames a second.
static void fill(vpx_codec_enc_cfg_t *cfg, const knobs *k) {
  unsigned total = 0;
  for (unsigned i = 0; i < k->layers; i++) total += k->kbps[i];
  cfg->g_w = k->width;
  cfg->g_h = k->height;
  cfg->g_threads = k->threads;
  cfg->g_timebase.num = 1;
  cfg->g_timebase.den = 30;
  cfg->g_pass = VPX_RC_ONE_PASS;
  cfg->g_lag_in_frames = 0;
  cfg->g_error_resilient = 0;
  cfg->kf_mode = VPX_KF_DISABLED;
  cfg->rc_end_usage = VPX_CBR;
  cfg->rc_target_bitrate = total;
  cfg->rc_dropframe_thresh = 30;
  cfg->rc_min_quantizer = 2;
  cfg->rc_max_quantizer = 56;
  cfg->rc_undershoot_pct = k->vp9 ? 50 : 100;
  cfg->rc_overshoot_pct = k->vp9 ? 50 : 15;
  cfg->rc_buf_initial_sz = 600;
  cfg->rc_buf_optimal_sz = 600;
  cfg->rc_buf_sz = 1000;
  if (k->layers < 2) return;
  cfg->ss_number_layers = k->layers;
  cfg->ts_number_layers = 1;
  cfg->temporal_layering_mode = 0;
  cfg->ts_rate_decimator[0] = 1;
  for (unsigned i = 0; i < k->layers; i++) cfg->layer_target_bitrate[i] = cfg->ss_target_bitrate[i] = k->kbps[i];
}

#define CONTROL(id, value)                                        \
  do {                                                            \
    vpx_codec_err_t err = vpx_codec_control(&e->ctx, id, value);  \
    if (err != VPX_CODEC_OK) return err;                          \
  } while (0)

static vpx_codec_err_t layer(encoder *e, const knobs *k) {
  vpx_svc_extra_cfg_t svc = {0};
  for (unsigned i = 0; i < k->layers; i++) {
    svc.min_quantizers[i] = e->cfg.rc_min_quantizer;
    svc.max_quantizers[i] = e->cfg.rc_max_quantizer;
    svc.scaling_factor_num[i] = 1;
    svc.scaling_factor_den[i] = 1 << (k->layers - 1 - i);
    svc.speed_per_layer[i] = k->speed;
  }
  CONTROL(VP9E_SET_SVC, 1);
  CONTROL(VP9E_SET_SVC_PARAMETERS, &svc);
  // 0: always, 2: in keyframes only (vp8cx.h).
  CONTROL(VP9E_SET_SVC_INTER_LAYER_PRED, k->key_only ? 2u : 0u);
  return VPX_CODEC_OK;
}

static vpx_codec_err_t control(encoder *e, const knobs *k) {
  CONTROL(VP8E_SET_CPUUSED, k->speed);
  CONTROL(VP8E_SET_MAX_INTRA_BITRATE_PCT, 900u);
  CONTROL(VP8E_SET_STATIC_THRESHOLD, k->static_threshold);
  if (!k->vp9) {
    CONTROL(VP8E_SET_NOISE_SENSITIVITY, k->noise);
    CONTROL(VP8E_SET_TOKEN_PARTITIONS, (int)k->partitions);
    return VPX_CODEC_OK;
  }
  CONTROL(VP9E_SET_AQ_MODE, 3u);
  CONTROL(VP9E_SET_ROW_MT, k->threads > 1);
  CONTROL(VP9E_SET_TILE_COLUMNS, k->threads > 1 ? 1 : 0);
  CONTROL(VP9E_SET_FRAME_PARALLEL_DECODING, 0u);
  CONTROL(VP9E_SET_GF_CBR_BOOST_PCT, 0u);
  CONTROL(VP9E_SET_NOISE_SENSITIVITY, k->noise);
  return k->layers > 1 ? layer(e, k) : VPX_CODEC_OK;
}

vpx_codec_err_t encoder_new(encoder **out, const knobs *k) {
  vpx_codec_iface_t *iface = k->vp9 ? vpx_codec_vp9_cx() : vpx_codec_vp8_cx();
  encoder *e = calloc(1, sizeof *e);
  if (e == NULL) return VPX_CODEC_MEM_ERROR;
  vpx_codec_err_t err = vpx_codec_enc_config_default(iface, &e->cfg, 0);
  if (err == VPX_CODEC_OK) {
    fill(&e->cfg, k);
    err = vpx_codec_enc_init(&e->ctx, iface, &e->cfg, 0);
  }
  if (err != VPX_CODEC_OK) {
    free(e);
    return err;
  }
  err = control(e, k);
  if (err != VPX_CODEC_OK) {
    encoder_free(e);
    return err;
  }
  *out = e;
  return VPX_CODEC_OK;
}

vpx_codec_err_t encoder_encode(encoder *e, uint8_t *y, uint8_t *u, uint8_t *v, int ystride, int uvstride, int key) {
  e->iter = NULL;
  if (!vpx_img_wrap(&e->img, VPX_IMG_FMT_I420, e->cfg.g_w, e->cfg.g_h, 1, y)) return VPX_CODEC_INVALID_PARAM;
  e->img.planes[VPX_PLANE_U] = u;
  e->img.planes[VPX_PLANE_V] = v;
  e->img.stride[VPX_PLANE_Y] = ystride;
  e->img.stride[VPX_PLANE_U] = uvstride;
  e->img.stride[VPX_PLANE_V] = uvstride;
  vpx_codec_err_t err = vpx_codec_encode(&e->ctx, &e->img, e->frame++, 1, key ? VPX_EFLAG_FORCE_KF : 0, VPX_DL_REALTIME);
  // The planes are Go's: nothing of them is kept past this call.
  e->img.planes[VPX_PLANE_Y] = e->img.planes[VPX_PLANE_U] = e->img.planes[VPX_PLANE_V] = NULL;
  e->img.img_data = NULL;
  return err;
}

const uint8_t *encoder_next(encoder *e, size_t *size) {
  const vpx_codec_cx_pkt_t *pkt;
  while ((pkt = vpx_codec_get_cx_data(&e->ctx, &e->iter)) != NULL) {
    if (pkt->kind != VPX_CODEC_CX_FRAME_PKT) continue;
    *size = pkt->data.frame.sz;
    return pkt->data.frame.buf;
  }
  return NULL;
}

void encoder_free(encoder *e) {
  vpx_codec_destroy(&e->ctx);
  free(e);
}
