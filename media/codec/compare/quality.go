// Package compare measures codecs and their settings against each other; the product does not use it.
package compare

import (
	"math"

	"parley/media"
)

// PSNR of the luma planes of two pictures of one size, in dB; 99 for equal ones.
func PSNR(a, b *media.Frame) float64 {
	var sum int64
	for y := range a.Height {
		ra, rb := a.Y[y*a.YStride:][:a.Width], b.Y[y*b.YStride:][:a.Width]
		for x, v := range ra {
			d := int64(v) - int64(rb[x])
			sum += d * d
		}
	}
	if sum == 0 {
		return 99
	}
	return 10 * math.Log10(255*255*float64(a.Width*a.Height)/float64(sum))
}

// Constants of SSIM (Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", 2004,
// equations 13 and 14), and the window, which is libvpx's: 8x8 pixels, one every four.
const (
	ssimC1     = (0.01 * 255) * (0.01 * 255)
	ssimC2     = (0.03 * 255) * (0.03 * 255)
	ssimWindow = 8
	ssimStep   = 4
)

// SSIM of the luma planes of two pictures of one size, at least 8x8: 1 for equal ones.
func SSIM(a, b *media.Frame) float64 {
	var sum float64
	n := 0
	for y := 0; y+ssimWindow <= a.Height; y += ssimStep {
		for x := 0; x+ssimWindow <= a.Width; x += ssimStep {
			sum += ssim(a.Y[y*a.YStride+x:], a.YStride, b.Y[y*b.YStride+x:], b.YStride)
			n++
		}
	}
	return sum / float64(n)
}

// ssim of one window.
func ssim(a []byte, astride int, b []byte, bstride int) float64 {
	var sa, sb, saa, sbb, sab int
	for y := range ssimWindow {
		ra, rb := a[y*astride:][:ssimWindow], b[y*bstride:][:ssimWindow]
		for x := range ssimWindow {
			va, vb := int(ra[x]), int(rb[x])
			sa, sb = sa+va, sb+vb
			saa, sbb, sab = saa+va*va, sbb+vb*vb, sab+va*vb
		}
	}
	const n = ssimWindow * ssimWindow
	ma, mb := float64(sa)/n, float64(sb)/n
	va, vb := float64(saa)/n-ma*ma, float64(sbb)/n-mb*mb
	cov := float64(sab)/n - ma*mb
	return (2*ma*mb + ssimC1) * (2*cov + ssimC2) / ((ma*ma + mb*mb + ssimC1) * (va + vb + ssimC2))
}
