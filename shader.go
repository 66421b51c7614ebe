//go:build linux && amd64 && !gles

package main

import (
	"bytes"
	_ "unsafe" // for go:linkname
)

// toolkitPictures is the program by which the toolkit has pictures and texts drawn, in GLSL 1.10. It
// also cuts pictures round, and throws pixels away that are nearly see-through; we ask for neither.
//
//go:linkname toolkitPictures fyne.io/fyne/v2/internal/painter/gl.shaderSimpleFrag
var toolkitPictures []byte

// plainPictures does the same for what we ask for. Where the processor draws, it does so in two thirds
// of the time: a shader has no way around what a pixel does not need.
const plainPictures = `#version 110

uniform sampler2D tex;

varying vec2 fragTexCoord;
varying float fragAlpha;

void main() {
    gl_FragColor = texture2D(tex, fragTexCoord) * fragAlpha;
}
`

// Another version of the toolkit may have another program, which then stays as it is.
func init() {
	for _, part := range []string{
		"#version 110\n", "uniform sampler2D tex;", "varying vec2 fragTexCoord;", "varying float fragAlpha;",
		"texColor.rgb *= fragAlpha * alpha;",
	} {
		if !bytes.Contains(toolkitPictures, []byte(part)) {
			return
		}
	}
	toolkitPictures = []byte(plainPictures)
}
