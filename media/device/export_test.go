package device

// UseNodes makes m look for cameras in folders of the test's.
func (m *Manager) UseNodes(dev, sys string) { m.video.nodes.dev, m.video.nodes.sys = dev, sys }
