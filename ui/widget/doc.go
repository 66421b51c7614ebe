// Package widget has the parts of Parley's screens: values in, callbacks out. It knows nothing of calls and
// meetings.
package widget
