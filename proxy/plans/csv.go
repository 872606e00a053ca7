package plans

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Warning says what is wrong with a line of a CSV file, which is left out then,
// or only kept from a plan.
type Warning struct {
	Line int // from 1, which is the header
	Text string
}

func (w Warning) String() string { return fmt.Sprintf("line %d: %s", w.Line, w.Text) }

// ReadKeys reads keys as AWS's CSV has them: a header with Name, Key and perhaps
// Description, Enabled and UsagePlanIds, in any order and case; other columns
// are ignored. Bad lines are left out and named. The error is one of the whole.
func ReadKeys(r io.Reader) ([]StaticKey, []Warning, error) {
	lines, warnings, err := readLines(r)
	keys := make([]StaticKey, len(lines))
	for i, line := range lines {
		keys[i] = line.key
	}
	return keys, warnings, err
}

// keyLine is a good line.
type keyLine struct {
	line int
	key  StaticKey
}

func readLines(r io.Reader) (lines []keyLine, warnings []Warning, err error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1 // a bad line is no end of the others
	in.TrimLeadingSpace = true
	header, err := in.Read()
	if err != nil {
		return nil, nil, refuse(ErrInvalid, "cannot read the header of the CSV file: %s", err)
	}
	columns, err := findColumns(header)
	if err != nil {
		return nil, nil, err
	}
	lineOf := make(map[string]int) // of a value
	for {
		record, err := in.Read()
		if err == io.EOF {
			return lines, warnings, nil
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			warnings = append(warnings, Warning{bad.StartLine, bad.Err.Error()})
			continue
		} else if err != nil {
			return nil, nil, fmt.Errorf("cannot read the CSV file: %w", err)
		}
		number, _ := in.FieldPos(0)
		key, err := columns.key(record)
		if before := lineOf[key.Value]; err == nil && before != 0 {
			err = fmt.Errorf("line %d has the same key", before)
		}
		if err != nil {
			warnings = append(warnings, Warning{number, err.Error()})
			continue
		}
		lineOf[key.Value] = number
		lines = append(lines, keyLine{number, key})
	}
}

// columns are where the fields of a line are; -1 for nowhere.
type columns struct{ name, value, description, enabled, plans, width int }

func findColumns(header []string) (columns, error) {
	c := columns{-1, -1, -1, -1, -1, len(header)}
	for i, title := range header {
		title = strings.TrimPrefix(title, "\ufeff") // spreadsheets begin a file with it
		for known, at := range map[string]*int{
			"name": &c.name, "key": &c.value, "description": &c.description, "enabled": &c.enabled, "usageplanids": &c.plans,
		} {
			if !strings.EqualFold(strings.TrimSpace(title), known) {
				continue
			} else if *at >= 0 {
				return c, refuse(ErrInvalid, "the header of the CSV file has the column %q twice", known)
			}
			*at = i
		}
	}
	if c.name < 0 || c.value < 0 {
		return c, refuse(ErrInvalid, "the header of the CSV file has no columns Name and Key")
	}
	return c, nil
}

// key reads one line.
func (c columns) key(record []string) (StaticKey, error) {
	if len(record) != c.width {
		return StaticKey{}, fmt.Errorf("it has %d fields and the header %d", len(record), c.width)
	}
	field := func(at int) string {
		if at < 0 {
			return ""
		}
		return strings.TrimSpace(record[at])
	}
	k := StaticKey{Name: field(c.name), Value: field(c.value), Description: field(c.description)}
	switch enabled := strings.ToLower(field(c.enabled)); enabled {
	case "", "true":
	case "false":
		k.Disabled = true
	default:
		return k, fmt.Errorf("%q in the column Enabled is neither true nor false", enabled)
	}
	for plan := range strings.FieldsFuncSeq(field(c.plans), func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		k.Plans = append(k.Plans, plan)
	}
	switch {
	case k.Name == "":
		return k, errors.New("it has no name")
	case len(k.Name) > maxName:
		return k, fmt.Errorf("the name has %d characters; at most %d are allowed", len(k.Name), maxName)
	case !utf8.ValidString(k.Name + k.Description):
		return k, errors.New("it is no UTF-8")
	}
	return k, checkValue(k.Value, MinImportedValue)
}
