package pipe

import (
	"cmp"
	"slices"
)

// quantile sorts v and returns the value at or below which the fraction q of it lies.
func quantile[T cmp.Ordered](v []T, q float64) T {
	slices.Sort(v)
	return v[min(int(q*float64(len(v))), len(v)-1)]
}
