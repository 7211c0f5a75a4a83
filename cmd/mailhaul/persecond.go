package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// perSecond is a flag's value in bytes a second. K, M and G are powers of 1000,
// as in everything else that is shown.
type perSecond int64

// leastRate is what servers wait for: with less they take the connection for dead.
const leastRate = 10_000

// parseBytes reads a number of bytes: 500K, 2M, 1.5MB, 20000.
func parseBytes(s string) (n float64, ok bool) {
	number := strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(s)), "B")
	scale := 1.0
	for i, unit := range []string{"K", "M", "G"} {
		if rest, ok := strings.CutSuffix(number, unit); ok {
			number, scale = rest, math.Pow(1000, float64(i+1))
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	return n * scale, err == nil && !math.IsNaN(n) && n*scale <= 1e15
}

// Set reads a rate.
func (p *perSecond) Set(s string) error {
	n, ok := parseBytes(strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(s)), "/S"))
	if !ok {
		return errors.New("it takes bytes a second, like 500K or 2M")
	}
	if n < leastRate {
		return errors.New("it takes at least 10K: with less, servers take the connection for dead")
	}
	*p = perSecond(n)
	return nil
}

func (p *perSecond) String() string {
	if *p == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*p), 10)
}

// Type names the value in help.
func (p *perSecond) Type() string { return "rate" }
