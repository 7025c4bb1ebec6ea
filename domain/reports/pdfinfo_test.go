package reports

import "testing"

func TestPagesOfAPDF(t *testing.T) {
	t.Parallel()
	whole := "%PDF-1.4\n1 0 obj\n<</Title (/Count 9)>>\nendobj\n" +
		"12 0 obj\n<</Type /Pages\n/Count 8\n/Kids [3 0 R]\n/Parent 2 0 R>>\nendobj\n" +
		"2 0 obj\n<</Type /Pages\n/Count 23\n/Kids [12 0 R]>>\nendobj\n" +
		"7 0 obj\n<</Type /Catalog\n/Pages 2 0 R\n/StructTreeRoot 5 0 R>>\nendobj\n" +
		"xref\n0 8\ntrailer\n<</Size 8\n/Root 7 0 R\n/Info 1 0 R>>\nstartxref\n42\n%%EOF\n"
	for text, want := range map[string]int{
		whole: 23,
		string(withInfo([]byte(whole), info{Title: "x"})): 23,
		"":                         0,
		"trailer\n<</Root 7 0 R>>": 0,
		"\n7 0 obj\n<</Pages 2 0 R>>\nendobj\ntrailer\n<</Root 7 0 R>>":                                0,
		"\n2 0 obj\n<<>>\nendobj\n7 0 obj\n<</Pages 2 0 R>>\nendobj\ntrailer\n<</Root 7 0 R>>":         0,
		"\n2 0 obj\n<</Count 1>>\nendobj\n7 0 obj\n<</Pages 2 0 R>>\nendobj\ntrailer\n<</Root 7 0 R>>": 1,
	} {
		if got := countPages([]byte(text)); got != want {
			t.Errorf("%d pages, want %d: %q", got, want, text)
		}
	}
}
