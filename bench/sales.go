package main

import (
	"bufio"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"time"
)

var (
	categories = []string{"Outerwear", "Footwear", "Base layers", "Packs & bags", "Tents", "Climbing", "Cycling", "Travel", "Kids", "Accessories", "Food", "Repairs"}
	channels   = []string{"In store", "Home delivery", "Click & collect"}
)

const (
	salesStores   = 220
	salesProducts = 4000
)

// writeSales writes a CSV of rows sales over the two years from 2024-07-01 in
// time order, with a few products selling most. The same rows come out every
// time.
func writeSales(path string, rows int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString("sold_at,store,product,category,channel,quantity,amount,returned\n")

	random := rand.New(rand.NewPCG(20260614, 17))
	start := time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)
	step := float64(2*365*24*time.Hour) / float64(rows)
	line := make([]byte, 0, 128)
	for i := range rows {
		at := start.Add(time.Duration(float64(i)*step + random.Float64()*step)).Truncate(time.Second)
		product := int(math.Pow(random.Float64(), 2) * salesProducts)
		quantity := 1 + int(random.ExpFloat64())
		price := 4 + float64(product%97)*1.85 + float64(product%13)*0.49
		line = at.AppendFormat(line[:0], "2006-01-02T15:04:05Z")
		line = append(line, ',')
		line = strconv.AppendInt(line, int64(1+random.IntN(salesStores)), 10)
		line = append(line, ",P-"...)
		line = strconv.AppendInt(line, int64(10000+product), 10)
		line = append(line, ',')
		line = append(line, categories[product%len(categories)]...)
		line = append(line, ',')
		line = append(line, channels[random.IntN(100)*random.IntN(100)/3400]...)
		line = append(line, ',')
		line = strconv.AppendInt(line, int64(quantity), 10)
		line = append(line, ',')
		line = strconv.AppendFloat(line, float64(quantity)*price, 'f', 2, 64)
		line = append(line, ',')
		line = strconv.AppendBool(line, random.IntN(25) == 0)
		line = append(line, '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}
