package v4l2

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pion/mediadevices/pkg/driver"

	"parley/media"
)

// cameraNodes finds the cameras under /dev. A node is queried once, when it appears, because opening it wakes a
// sleeping camera.
type cameraNodes struct {
	dev, sys string // /dev and /sys/class/video4linux
	query    func(path string) (name string, camera bool, err error)

	mu    sync.Mutex
	known map[string]nodeInfo // by key
}

type nodeInfo struct {
	name   string
	camera bool
}

func newCameraNodes() *cameraNodes {
	return &cameraNodes{dev: "/dev", sys: "/sys/class/video4linux", query: queryV4L2, known: make(map[string]nodeInfo)}
}

// find lists the cameras in the order of their numbers; the first is the default.
func (n *cameraNodes) find(convert media.PixelConverter) []found {
	n.mu.Lock()
	defer n.mu.Unlock()
	nodes, _ := filepath.Glob(filepath.Join(n.dev, "video[0-9]*"))
	slices.SortFunc(nodes, func(a, b string) int { return cmp.Compare(nodeNumber(a), nodeNumber(b)) })
	stable := n.stableNames()
	known := make(map[string]nodeInfo)
	var out []found
	for _, node := range nodes {
		st, err := os.Stat(node)
		if err != nil {
			continue
		}
		// A camera that is plugged in again has a new node of the same name.
		key := fmt.Sprintf("%s@%d", node, st.ModTime().UnixNano())
		info, ok := n.known[key]
		if !ok {
			info = n.ask(node)
		}
		known[key] = info
		if !info.camera {
			continue
		}
		id := cmp.Or(stable[node], node)
		out = append(out, found{
			Device:  media.Device{Kind: media.Camera, ID: id, Name: info.name, Default: len(out) == 0},
			key:     key,
			adapter: func() driver.Adapter { return newV4L2Camera(node, convert) },
		})
	}
	n.known = known
	return out
}

// ask queries a node. One that cannot be opened is listed too: choosing it then shows the error.
func (n *cameraNodes) ask(node string) nodeInfo {
	name, camera, err := n.query(node)
	if errors.Is(err, media.ErrNoDevice) {
		return nodeInfo{}
	}
	if err != nil {
		text, _ := os.ReadFile(filepath.Join(n.sys, filepath.Base(node), "name"))
		index, _ := os.ReadFile(filepath.Join(n.sys, filepath.Base(node), "index"))
		// Nodes with another index carry metadata.
		name, camera = strings.TrimSpace(string(text)), strings.TrimSpace(cmp.Or(string(index), "0")) == "0"
	}
	return nodeInfo{name: cmp.Or(name, filepath.Base(node)), camera: camera}
}

// stableNames maps a node to its name in by-id, which does not change with the node's number.
func (n *cameraNodes) stableNames() map[string]string {
	out := make(map[string]string)
	links, _ := filepath.Glob(filepath.Join(n.dev, "v4l", "by-id", "*"))
	for _, link := range links {
		if node, err := filepath.EvalSymlinks(link); err == nil {
			out[node] = link
		}
	}
	return out
}

func nodeNumber(node string) int {
	v, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(node), "video"))
	if err != nil {
		return 1 << 30
	}
	return v
}
