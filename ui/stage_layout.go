package ui

import (
	"fyne.io/fyne/v2"

	"parley/media/call"
	"parley/ui/widget"
)

// place lays out the stage, its panel and the bar.
func (s *stage) place(size fyne.Size) {
	if size.Width < smallest.Width/2 || size.Height < smallest.Height/2 {
		return // not on the window yet
	}
	s.size = size
	s.narrow = size.Width < narrow
	s.area = rect{margin, margin, size.Width - 2*margin, size.Height - widget.BarHeight - 2*margin}
	beside := s.panel != noPanel && !s.narrow
	if beside {
		s.area.w -= panelWidth + widget.Space3
	}
	// The bars are above the tiles, not on them, so they cover no marks.
	s.area = s.knocks.place(s.banner.place(s.own.place(s.area)))
	s.placeTiles()
	s.bar.place(size)
	panel := rect{size.Width - margin - panelWidth, margin, panelWidth, size.Height - widget.BarHeight - margin - widget.Space2}
	if s.narrow {
		panel = rect{0, 0, size.Width, size.Height - widget.BarHeight}
	}
	for _, o := range []fyne.CanvasObject{s.chat.root, s.people.root} {
		panel.place(o, 0, 0)
	}
	for _, t := range s.all {
		// In a narrow window the panel covers the tiles.
		t.tell(!s.narrow || s.panel == noPanel)
	}
}

func (s *stage) placeTiles() {
	st, a := s.w.state, s.area
	shown := map[*videoTile]bool{}
	put := func(t *videoTile, r rect) {
		shown[t] = true
		r.place(t, a.x, a.y)
	}
	s.pages = 1
	widget.Show(s.alone.root, len(st.Peers) == 0 && !sharing(st))
	switch {
	case sharing(st):
		s.placeSharing(st, put)
	case len(st.Peers) == 0:
		rect{a.x, a.y, a.w, a.h}.place(s.alone.root, 0, 0)
		put(s.self, selfView(rect{0, 0, a.w, a.h}, s.self.shape))
	case s.overlaid(st):
		face := s.faces[st.Peers[0].ID]
		one := single(face.shape, a.w, a.h)
		put(face, one)
		put(s.self, selfView(one, s.self.shape))
	default:
		s.placeGrid(st, put)
	}
	for _, t := range s.all {
		widget.Show(t, shown[t])
	}
}

func (s *stage) placeGrid(st call.State, put func(*videoTile, rect)) {
	per := capacity(s.area.w, s.area.h)
	s.pages = pages(len(st.Peers), per)
	s.page = min(s.page, s.pages-1)
	from := s.page * (per - 1)
	on := st.Peers[from:min(from+per-1, len(st.Peers))]
	var shapes []float32
	for _, p := range on {
		shapes = append(shapes, s.faces[p.ID].shape)
	}
	shapes = append(shapes, s.self.shape)
	for s.pages > 1 && len(shapes) < per {
		shapes = append(shapes, usual) // tiles on the last page are as large as on the others
	}
	places := grid(shapes, s.area.w, s.area.h)
	for i, p := range on {
		put(s.faces[p.ID], places[i])
	}
	put(s.self, places[len(on)])
}

// placeSharing stacks the shared screens. Among the people, presenters come first and we come last.
func (s *stage) placeSharing(st call.State, put func(*videoTile, rect)) {
	var screens, faces []*videoTile
	for _, p := range st.Peers {
		if t := s.shares[p.ID]; t != nil {
			screens = append(screens, t)
			faces = append(faces, s.faces[p.ID])
		}
	}
	if t := s.shares[call.Self]; t != nil && len(screens) == 0 {
		screens = append(screens, t)
	}
	for _, p := range st.Peers {
		if s.shares[p.ID] == nil {
			faces = append(faces, s.faces[p.ID])
		}
	}
	main, places := presenting(len(faces)+1, s.area.w, s.area.h)
	h := floor((main.h - float32(len(screens)-1)*tileGap) / float32(len(screens)))
	for i, t := range screens {
		put(t, rect{main.x, main.y + float32(i)*(h+tileGap), main.w, h})
	}
	// If not everybody fits, the column has pages; our own tile stays at its end.
	per := len(places) - 1
	if per > 0 {
		s.pages = max((len(faces)+per-1)/per, 1)
		s.page = min(s.page, s.pages-1)
		faces = faces[s.page*per : min((s.page+1)*per, len(faces))]
		for i, t := range faces {
			put(t, places[i])
		}
		put(s.self, places[len(faces)])
		return
	}
	put(s.self, places[0])
}
