// Package ui is the window: it draws the call's State and sends Commands.
package ui
