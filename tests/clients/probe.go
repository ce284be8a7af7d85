package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// What Grafana's plugin does: the official Go client over HTTP, by each compression. A line for each call.
func main() {
	addr, user, token, database := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	wrong := 0
	check := func(name string, call func() (any, error)) {
		got, err := call()
		if err != nil {
			wrong++
			fmt.Printf("wrong %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
			return
		}
		fmt.Printf("ok    %s: %v\n", name, got)
	}
	methods := []struct {
		name   string
		method clickhouse.CompressionMethod
	}{{"none", clickhouse.CompressionNone}, {"lz4", clickhouse.CompressionLZ4}, {"lz4hc", clickhouse.CompressionLZ4HC}, {"zstd", clickhouse.CompressionZSTD}, {"gzip", clickhouse.CompressionGZIP}, {"deflate", clickhouse.CompressionDeflate}, {"br", clickhouse.CompressionBrotli}}
	for _, m := range methods {
		db := clickhouse.OpenDB(&clickhouse.Options{Addr: []string{addr}, Protocol: clickhouse.HTTP,
			Auth:        clickhouse.Auth{Database: database, Username: user, Password: token},
			Compression: &clickhouse.Compression{Method: m.method, Level: 3}, DialTimeout: 5 * time.Second})
		check(m.name+" ping", func() (any, error) { return "pong", db.Ping() })
		check(m.name+" count", func() (any, error) {
			var n uint64
			return n, db.QueryRow("SELECT count() FROM journeys").Scan(&n)
		})
		check(m.name+" rows", func() (any, error) { return count(db.Query("SELECT * FROM journeys LIMIT 100")) })
		check(m.name+" interactions", func() (any, error) { return count(db.Query("SELECT * FROM interactions LIMIT 100")) })
		check(m.name+" large", func() (any, error) {
			return count(db.Query("SELECT number, toString(number) FROM numbers(300000)"))
		})
		check(m.name+" parameters", func() (any, error) {
			var n uint64
			return n, db.QueryRow("SELECT count() FROM journeys WHERE status = {s:String}", clickhouse.Named("s", "completed")).Scan(&n)
		})
		check(m.name+" bound", func() (any, error) {
			var n uint64
			return n, db.QueryRow("SELECT count() FROM journeys WHERE status = ? AND started_at > ?", "completed", time.Unix(1.7e9, 0)).Scan(&n)
		})
		check(m.name+" error", func() (any, error) {
			var n uint64
			err := db.QueryRow("SELECT nothing_such FROM journeys").Scan(&n)
			if err == nil || !strings.Contains(err.Error(), "nothing_such") {
				return nil, fmt.Errorf("no error, or another: %v", err)
			}
			return "refused", nil
		})
		check(m.name+" cancelled", func() (any, error) {
			ctx, stop := context.WithTimeout(context.Background(), time.Second)
			defer stop()
			began := time.Now()
			_, err := count(db.QueryContext(ctx, "SELECT sum(cityHash64(number, rand())) FROM numbers(20000000000)"))
			if err == nil || time.Since(began) > 10*time.Second {
				return nil, fmt.Errorf("not cancelled: %v", err)
			}
			return "stopped", nil
		})
		if user == "owner" {
			check(m.name+" batch", func() (any, error) {
				table := "probe_" + m.name
				if _, err := db.Exec("CREATE TABLE " + table + " (a UInt64, b String) ENGINE = MergeTree ORDER BY a"); err != nil {
					return nil, err
				}
				defer db.Exec("DROP TABLE " + table)
				tx, err := db.Begin()
				if err != nil {
					return nil, err
				}
				batch, err := tx.Prepare("INSERT INTO " + table)
				if err != nil {
					return nil, err
				}
				for i := uint64(0); i < 1000; i++ {
					if _, err := batch.Exec(i, fmt.Sprint("it's ", i)); err != nil {
						return nil, err
					}
				}
				if err := tx.Commit(); err != nil {
					return nil, err
				}
				var n uint64
				err = db.QueryRow("SELECT count() FROM " + table).Scan(&n)
				if err == nil && n != 1000 {
					err = fmt.Errorf("%d rows of 1000", n)
				}
				return n, err
			})
		}
		db.Close()
	}
	fmt.Println(wrong, "wrong")
	if wrong > 0 {
		os.Exit(1)
	}
}

func count(rows *sql.Rows, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	return n, rows.Err()
}
