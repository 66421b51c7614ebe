// Package windows tests the programs for Windows under Wine, with the build tag wine: make windows-test.
package windows
