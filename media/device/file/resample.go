package file

import "math"

// resampler changes the rate of mono sound by a windowed sinc: the pass band ends at 91% of
// the lower Nyquist frequency, and images and aliases are 80 dB down (Kaiser window).
type resampler struct {
	step    float64 // input samples per output sample
	half    int     // input samples on either side of an output sample
	kernel  []float32
	in      []float32 // input that is still needed; in[half-1] is the one at or before pos
	pos     float64   // of the next output sample, 0 to 1 past in[half-1]
	consume int       // input samples to drop before the next output sample
}

const (
	resamplePhases = 512 // of the kernel between two input samples; in between, linear
	resampleZeros  = 24  // zero crossings of the sinc on either side
	resampleCutoff = 0.955
	kaiserBeta     = 8.5
)

// newResampler converts from one rate to another, both in Hz.
func newResampler(from, to int) *resampler {
	r := &resampler{step: float64(from) / float64(to)}
	if from == to {
		return r // read copies
	}
	scale := min(1, 1/r.step) * resampleCutoff // the cutoff, as a part of the input's Nyquist frequency
	r.half = int(math.Ceil(resampleZeros / scale))
	// kernel[p*taps+i] weighs in[i] for the output sample p/phases past in[half-1].
	taps := 2 * r.half
	r.kernel = make([]float32, (resamplePhases+1)*taps)
	norm := besselI0(kaiserBeta)
	for p := range resamplePhases + 1 {
		row := r.kernel[p*taps:][:taps]
		var sum float64
		for i := range row {
			x := float64(i-r.half+1) - float64(p)/resamplePhases
			edge := x / float64(r.half)
			v := 0.0
			if edge*edge < 1 {
				v = scale * sinc(scale*x) * besselI0(kaiserBeta*math.Sqrt(1-edge*edge)) / norm
			}
			sum += v
			row[i] = float32(v)
		}
		for i := range row { // so that every phase has the same gain
			row[i] /= float32(sum)
		}
	}
	r.in = make([]float32, r.half-1) // silence before the first sample
	return r
}

// read fills dst and calls more when it needs input. more appends at least one sample or fails.
func (r *resampler) read(dst []float32, more func([]float32) ([]float32, error)) error {
	if r.half == 0 {
		return r.copy(dst, more)
	}
	taps := 2 * r.half
	for n := range dst {
		for len(r.in) < r.consume+taps {
			if r.consume > 0 {
				drop := min(r.consume, len(r.in))
				r.in = r.in[:copy(r.in, r.in[drop:])]
				r.consume -= drop
				continue
			}
			var err error
			if r.in, err = more(r.in); err != nil {
				return err
			}
		}
		in := r.in[r.consume:][:taps]
		phase := r.pos * resamplePhases
		p := int(phase)
		frac := float32(phase - float64(p))
		a, b := r.kernel[p*taps:][:taps], r.kernel[min(p+1, resamplePhases)*taps:][:taps]
		var va, vb float32
		for i, v := range in {
			va += v * a[i]
			vb += v * b[i]
		}
		dst[n] = va + (vb-va)*frac
		whole := math.Floor(r.pos + r.step)
		r.pos += r.step - whole
		if r.pos >= 1 { // only by rounding
			r.pos, whole = r.pos-1, whole+1
		}
		r.consume += int(whole)
	}
	return nil
}

// copy is read where both rates are the same.
func (r *resampler) copy(dst []float32, more func([]float32) ([]float32, error)) error {
	for len(r.in) < len(dst) {
		var err error
		if r.in, err = more(r.in); err != nil {
			return err
		}
	}
	copy(dst, r.in)
	r.in = r.in[:copy(r.in, r.in[len(dst):])]
	return nil
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// besselI0 is the modified Bessel function of order zero (Abramowitz and Stegun 9.6.12).
func besselI0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}
