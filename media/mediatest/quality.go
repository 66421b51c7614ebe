// Package mediatest measures pictures for tests, and moves a camera over a photograph.
package mediatest

import (
	"image"
	"math"

	"parley/media"
)

// Equal is the PSNR of two equal pictures, in dB. Pictures that differ have less.
const Equal = 99

// PSNR of the luma planes of two pictures of one size, in dB.
func PSNR(a, b *media.Frame) float64 {
	var sum int64
	for y := range a.Height {
		ra, rb := a.Y[y*a.YStride:][:a.Width], b.Y[y*b.YStride:][:a.Width]
		for x, v := range ra {
			d := int64(v) - int64(rb[x])
			sum += d * d
		}
	}
	return decibels(sum, a.Width*a.Height)
}

// PSNRImage of red, green and blue of two pictures of one size, of every step-th row and column,
// in dB.
func PSNRImage(a, b *image.RGBA, step int) float64 {
	var sum int64
	n := 0
	for y := 0; y < a.Rect.Dy(); y += step {
		p, q := a.Pix[y*a.Stride:], b.Pix[y*b.Stride:]
		for x := 0; x < a.Rect.Dx()*4; x += 4 * step {
			for c := range 3 {
				d := int64(p[x+c]) - int64(q[x+c])
				sum += d * d
			}
			n += 3
		}
	}
	return decibels(sum, n)
}

// decibels of n samples of 8 bits, whose differences squared have this sum.
func decibels(sum int64, n int) float64 {
	if sum == 0 {
		return Equal
	}
	return 10 * math.Log10(255*255*float64(n)/float64(sum))
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
