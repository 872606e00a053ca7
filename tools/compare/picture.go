package main

import (
	"fmt"
	"html"
	"strings"
)

// The picture has no background and greys that stand out on white and on black alike.
const (
	pictureWidth = 760
	barLeft      = 110
	barWidth     = 520
	rowHeight    = 22
	inkColour    = "#7d8590"
	weirColour   = "#2f81f7"
	rivalColour  = "#8b949e"
)

// svg draws the first column of each scenario as bars: a panel a scenario, a bar a program, short is good.
func (c comparison) svg() string {
	var body strings.Builder
	y := 24
	text(&body, 0, y, "start", 15, weirColour, "bold", "weir side by side: shorter is better")
	y += 12
	for _, o := range c.Scenarios {
		if longest := o.longest(); longest > 0 {
			y = o.drawPanel(&body, y, longest)
		}
	}
	y += 22
	for _, line := range append(wrap(c.versionLine(), 120), wrap(c.Machine+". "+c.Method, 120)...) {
		text(&body, 0, y, "start", 11, inkColour, "normal", line)
		y += 15
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 %d %d" width="%d" height="%d" `+
		`font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" role="img" aria-label="%s">`+"\n%s</svg>\n",
		pictureWidth+20, y, pictureWidth+20, y, "Bar charts of weir beside other proxies", body.String())
}

func (o outcome) drawPanel(b *strings.Builder, y int, longest float64) int {
	main := o.columns[0]
	y += 26
	text(b, 0, y, "start", 13, inkColour, "bold", o.Title)
	y += 16
	text(b, 0, y, "start", 11, inkColour, "normal", main.title)
	y += 6
	for _, name := range o.names {
		value, _ := o.median(name, main)
		width := max(1, value/longest*barWidth)
		colour, opacity := rivalColour, "0.55"
		if strings.HasPrefix(name, "weir") {
			colour, opacity = weirColour, "1"
		}
		text(b, barLeft-8, y+15, "end", 12, inkColour, "normal", name)
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="2" fill="%s" fill-opacity="%s"/>`+"\n",
			barLeft, y+3, width, rowHeight-6, colour, opacity)
		text(b, barLeft+int(width)+6, y+15, "start", 12, inkColour, "normal", number(value, main.digits))
		y += rowHeight
	}
	return y
}

// longest is the largest median of the first column: 0 where there is nothing to draw, as with failures.
func (o outcome) longest() float64 {
	longest := 0.0
	for _, name := range o.names {
		value, _ := o.median(name, o.columns[0])
		longest = max(longest, value)
	}
	return longest
}

func text(b *strings.Builder, x, y int, anchor string, size int, colour, weight, words string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s" font-size="%d" fill="%s" font-weight="%s">%s</text>`+"\n",
		x, y, anchor, size, colour, weight, html.EscapeString(words))
}

// wrap breaks words into lines of at most width letters; a longer word stands alone.
func wrap(words string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(words) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
