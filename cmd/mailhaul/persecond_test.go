package main

import "testing"

func TestRates(t *testing.T) {
	for s, want := range map[string]perSecond{
		"500K": 500_000, "2M": 2_000_000, "2m": 2_000_000, "1.5MB": 1_500_000, "10k/s": 10_000, " 1 G ": 1_000_000_000, "20000": 20_000, "20000B": 20_000,
		"": 0, "0": 0, "9999": 0, "-2M": 0, "M": 0, "NaN": 0, "Inf": 0, "1e300": 0, "2X": 0, "2KK": 0, "500 000": 0,
	} {
		var p perSecond
		if err := p.Set(s); p != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %d, %v, want %d", s, p, err, want)
		}
	}
}
