package ingest

import (
	"bytes"
)

// digitsOnly tells whether a cell is one to 18 digits and nothing else.
func digitsOnly(cell []byte) (n int, ok bool) {
	if len(cell) > 18 {
		return 0, false
	}
	for _, c := range cell {
		if !digit(c) {
			return 0, false
		}
	}
	return len(cell), len(cell) > 0
}

// digitsPoint recognises "-12.5": digits, a point, digits, where the point
// cannot separate thousands.
func digitsPoint(cell []byte) (before, after int, ok bool) {
	if len(cell) > 0 && cell[0] == '-' {
		cell = cell[1:]
	}
	point := bytes.IndexByte(cell, '.')
	if point < 1 || len(cell) > 17 {
		return 0, 0, false
	}
	for _, c := range cell[:point] {
		if !digit(c) {
			return 0, 0, false
		}
	}
	for _, c := range cell[point+1:] {
		if !digit(c) {
			return 0, 0, false
		}
	}
	after = len(cell) - point - 1
	if after == 3 && point <= 3 && cell[0] != '0' {
		return 0, 0, false
	}
	return point, after, true
}

// compactDate tells whether eight digits are a day between 1900 and 2099.
func compactDate(cell []byte) bool {
	if cell[0] != '1' && cell[0] != '2' {
		return false
	}
	y, _ := pair(cell[0:])
	c, _ := pair(cell[2:])
	m, _ := pair(cell[4:])
	d, _ := pair(cell[6:])
	year := y*100 + c
	return year >= 1900 && year < 2100 && d >= 1 && d <= daysIn(year, m)
}

// clock recognises a time of day alone.
func clock(cell []byte) bool {
	if len(cell) < 4 || len(cell) > 15 || !digit(cell[0]) {
		return false
	}
	colons := 0
	for _, c := range cell {
		switch {
		case c == ':':
			colons++
		case !digit(c) && c != '.' && c != ' ' && c|0x20 != 'a' && c|0x20 != 'p' && c|0x20 != 'm':
			return false
		}
	}
	return colons == 1 || colons == 2
}

func hasDigit(cell []byte) bool {
	for _, c := range cell {
		if digit(c) {
			return true
		}
	}
	return false
}
