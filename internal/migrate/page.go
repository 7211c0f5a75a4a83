package migrate

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

//go:embed report.tmpl
var pageText string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"size": Size,
	"when": func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Local().Format("2006-01-02 15:04:05")
	},
	"took":  func(a, b time.Time) string { return b.Sub(a).Round(time.Second).String() },
	"steps": func() []Step { return Steps },
	"class": func(verdict string) string {
		switch verdict {
		case "verified":
			return "ok"
		case "not yet", "copied", "cut over":
			return "open"
		}
		return "bad"
	},
	"more": func(all int64, shown []Item) int64 { return all - int64(len(shown)) },
}).Parse(pageText))

// page is the report as one page that needs nothing else.
func (rep *Report) page() ([]byte, error) {
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, map[string]any{"R": rep, "Chart": chart(rep.Chart)}); err != nil {
		return nil, fmt.Errorf("could not make the report: %w", err)
	}
	return b.Bytes(), nil
}

// The chart's size, and the room around what is drawn.
const chartWidth, chartHeight, chartLeft, chartBottom = 860.0, 220.0, 70.0, 28.0

// drawing is a chart of messages over the time that was worked.
type drawing struct {
	Width, Height float64
	Lines         []polyline
	Marks         []mark // of the axes
	Base, Left    float64
}

type polyline struct {
	Step   Step
	Points string
}

type mark struct {
	X, Y float64
	Text string
	End  bool // anchored at its end
}

// pause is a gap between two points that is not drawn at its length: nobody was
// at work then.
const pause = time.Minute

// chart draws messages over working time, a line for each step; nil for too
// few points.
func chart(points []Point) *drawing {
	if len(points) < 2 {
		return nil
	}
	at := make([]float64, len(points))
	most := int64(1)
	for i, p := range points {
		most = max(most, p.Messages)
		if i > 0 {
			at[i] = at[i-1] + min(p.At.Sub(points[i-1].At), pause).Seconds()
		}
	}
	whole := max(at[len(at)-1], 1)
	d := &drawing{Width: chartWidth, Height: chartHeight, Base: chartHeight - chartBottom, Left: chartLeft}
	x := func(seconds float64) float64 { return chartLeft + seconds/whole*(chartWidth-chartLeft-10) }
	y := func(n int64) float64 { return d.Base - float64(n)/float64(most)*(d.Base-10) }
	var b strings.Builder
	for i, p := range points {
		fmt.Fprintf(&b, "%.1f,%.1f ", x(at[i]), y(p.Messages))
		if i == len(points)-1 || points[i+1].Step != p.Step || points[i+1].Messages < p.Messages {
			d.Lines = append(d.Lines, polyline{p.Step, strings.TrimSpace(b.String())})
			b.Reset()
		}
	}
	for i := range 3 {
		n := most * int64(i) / 2
		d.Marks = append(d.Marks, mark{chartLeft - 6, y(n) + 4, fmt.Sprint(n), true})
		s := whole * float64(i) / 2
		d.Marks = append(d.Marks, mark{x(s), chartHeight - 8, time.Duration(s * float64(time.Second)).Round(time.Second).String(), i > 0})
	}
	return d
}

// Size is a number of octets for a person, in powers of 1000.
func Size(n int64) string {
	f := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB", "TB"} {
		if f < 999.95 {
			if unit == "B" {
				return fmt.Sprintf("%d B", n)
			}
			return fmt.Sprintf("%.1f %s", f, unit)
		}
		f /= 1000
	}
	return fmt.Sprintf("%.1f PB", f)
}
