// Package widget holds the parts that Parley's screens are put together from: values in,
// callbacks out. It knows nothing of calls and meetings.
package widget
