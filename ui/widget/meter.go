package widget

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	fw "fyne.io/fyne/v2/widget"
)

const (
	meterBars           = 14
	meterBar, meterStep = 4, 7
	meterHeight         = 16

	// The range of the meter in dBFS: from a quiet room to a loud voice.
	meterFloor, meterTop = -60.0, -6.0
)

// LevelMeter shows a sound level as a row of bars.
type LevelMeter struct {
	fw.BaseWidget
	bars [meterBars]*canvas.Rectangle
	lit  int
}

// NewLevelMeter makes a meter at silence.
func NewLevelMeter() *LevelMeter {
	m := &LevelMeter{}
	for i := range m.bars {
		m.bars[i] = canvas.NewRectangle(nil)
		m.bars[i].CornerRadius = 2
	}
	m.ExtendBaseWidget(m)
	return m
}

// SetLevel shows a level in dBFS. It redraws only the bars that change.
func (m *LevelMeter) SetLevel(db float64) {
	lit := int((db-meterFloor)/(meterTop-meterFloor)*meterBars + 0.5)
	lit = min(max(lit, 0), meterBars)
	if lit == m.lit {
		return
	}
	from, to := min(lit, m.lit), max(lit, m.lit)
	m.lit = lit
	for i := from; i < to; i++ {
		m.paint(i)
	}
}

func (m *LevelMeter) paint(i int) {
	role := Surface3
	if i < m.lit {
		role = Accent
	}
	m.bars[i].FillColor = colorOf(role)
	m.bars[i].Refresh()
}

// CreateRenderer is for Fyne.
func (m *LevelMeter) CreateRenderer() fyne.WidgetRenderer {
	objects := make([]fyne.CanvasObject, meterBars)
	for i, b := range m.bars {
		objects[i] = b
	}
	return &renderer{
		objects: objects,
		layout: func(s fyne.Size) {
			for i, b := range m.bars {
				Place(b, float32(i*meterStep), (s.Height-meterHeight)/2, meterBar, meterHeight)
			}
		},
		min: func() fyne.Size {
			return fyne.NewSize((meterBars-1)*meterStep+meterBar, meterHeight)
		},
		refresh: func() {
			for i := range m.bars {
				m.paint(i)
			}
		},
	}
}
