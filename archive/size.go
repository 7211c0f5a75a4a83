package archive

// Size is how many packs there are, and how many octets they take.
func (a *Archive) Size() (packs, bytes int64, err error) {
	list, err := a.packRows()
	for _, p := range list {
		packs++
		bytes += p.length
	}
	return packs, bytes, err
}
