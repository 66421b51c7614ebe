package media

import "time"

// A stamp is a capture time drawn into the top of a picture as black and white cells, so
// that whoever sees the picture at the other end of a call can tell its age. It survives
// lossy coding and scaling down to 160 pixels of width: 32 cells in one row, each w/32 wide
// and h/18 high: 24 bits of milliseconds, then their CRC-8, most significant bit first.
const (
	stampCells = 32
	stampRows  = 18
	stampWrap  = 1 << 24 // milliseconds, about 4.6 hours
)

// DrawStamp draws t into the top rows of f.
func DrawStamp(f *Frame, t time.Time) {
	ms := uint32(t.UnixMilli() % stampWrap)
	bits := ms<<8 | uint32(crc8(ms))
	cell, rows := f.Width/stampCells, f.Height/stampRows
	if cell == 0 || rows == 0 {
		return
	}
	for x := range cell * stampCells {
		v := byte(16)
		if bits>>(stampCells-1-x/cell)&1 == 1 {
			v = 235
		}
		f.Y[x] = v
	}
	for y := 1; y < rows; y++ {
		copy(f.Y[y*f.YStride:][:cell*stampCells], f.Y[:cell*stampCells])
	}
	cw := (cell*stampCells + 1) / 2
	for y := range (rows + 1) / 2 {
		row := y * f.UVStride
		for x := row; x < row+cw; x++ {
			f.U[x], f.V[x] = 128, 128
		}
	}
}

// ReadStamp reads the stamp in f and returns how long before now it was drawn; ok is false
// when there is none.
func ReadStamp(f *Frame, now time.Time) (age time.Duration, ok bool) {
	rows := f.Height / stampRows
	if f.Width < stampCells*3 || rows == 0 {
		return 0, false
	}
	// The cell's width is that of the picture it was drawn at, a whole number of its
	// pixels; all usual widths are multiples of 32, so here it is exact too.
	var bits uint32
	y := rows / 2 * f.YStride
	for i := range stampCells {
		x := (2*i + 1) * f.Width / (2 * stampCells)
		bits <<= 1
		switch v := (int(f.Y[y+x-1]) + int(f.Y[y+x]) + int(f.Y[y+x+1])) / 3; {
		case v > 170:
			bits |= 1
		case v > 80:
			return 0, false // neither black nor white
		}
	}
	ms := bits >> 8
	if byte(bits) != crc8(ms) {
		return 0, false
	}
	d := (now.UnixMilli() - int64(ms)) % stampWrap
	if d > stampWrap/2 {
		return 0, false
	}
	return time.Duration(d) * time.Millisecond, true
}

// crc8 is CRC-8/SMBUS (polynomial 0x07) of the low 24 bits, inverted so that an all-black
// picture carries no valid stamp.
func crc8(v uint32) byte {
	var c byte
	for shift := 16; shift >= 0; shift -= 8 {
		c ^= byte(v >> shift)
		for range 8 {
			if c&0x80 != 0 {
				c = c<<1 ^ 0x07
			} else {
				c <<= 1
			}
		}
	}
	return ^c
}
