package identity

import "encoding/hex"

// The points of small order, by their encodings without the highest bit, which is a sign in one and ignored in the
// other: those of Ed25519 (RFC 8032, section 5.1.3), and those of X25519 (https://cr.yp.to/ecdh.html). The last three
// of each are 2^255-20, -19 and -18.
var (
	edwardsSmall = points(
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	)
	montgomerySmall = points(
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	)
)

func points(texts ...string) map[[KeyBytes]byte]bool {
	all := map[[KeyBytes]byte]bool{}
	for _, text := range texts {
		var point [KeyBytes]byte
		if n, err := hex.Decode(point[:], []byte(text)); n != KeyBytes || err != nil {
			panic("a point of small order is not written in full") // the texts are above
		}
		all[point] = true
	}
	return all
}

// smallOrder reports whether a key of KeyBytes is one of these points.
func smallOrder(key []byte, points map[[KeyBytes]byte]bool) bool {
	point := [KeyBytes]byte(key)
	point[KeyBytes-1] &= 0x7f
	return points[point]
}

// SmallOrder reports whether an Ed25519 key is of small order: anybody can make signatures for it.
func SmallOrder(sign [KeyBytes]byte) bool { return smallOrder(sign[:], edwardsSmall) }

// Usable reports whether neither key is of small order. Nobody draws such a key; whoever shows one has made it.
func (p Public) Usable() bool {
	return !SmallOrder(p.Sign) && !smallOrder(p.DH[:], montgomerySmall)
}
