package db

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
)

// Listen calls the function of a channel for each NOTIFY on it, until ctx
// ends. After every connect it calls each function once with "", since what
// was sent before is lost. The functions must not block. One connection of its
// own serves all channels; where it breaks, it is made again.
func (d *DB) Listen(ctx context.Context, channels map[string]func(payload string)) error {
	wait := time.Duration(0)
	for {
		began := time.Now()
		err := d.listen(ctx, channels)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > 10*time.Second {
			wait = 0
		}
		if wait == 0 {
			slog.WarnContext(ctx, "notifications of the database stopped, trying again", "error", err)
		}
		wait = min(max(2*wait, 100*time.Millisecond), 5*time.Second)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

func (d *DB) listen(ctx context.Context, channels map[string]func(string)) error {
	config := d.pool.Config()
	connecting, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	// Not from the pool: this connection is never given back. It becomes the
	// run-time role like all others.
	conn, err := pgx.ConnectConfig(connecting, config.ConnConfig)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if config.AfterConnect != nil {
		if err := config.AfterConnect(connecting, conn); err != nil {
			return err
		}
	}
	for channel := range channels {
		if _, err := conn.Exec(connecting, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	for _, tell := range channels {
		tell("")
	}
	for {
		// A half-open connection is found out by a question now and then.
		waiting, cancel := context.WithTimeout(ctx, time.Minute)
		n, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			if tell := channels[n.Channel]; tell != nil {
				tell(n.Payload)
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case conn.IsClosed():
			return fmt.Errorf("wait: %w", err)
		default:
			asking, cancel := context.WithTimeout(ctx, 10*time.Second)
			err := conn.Ping(asking)
			cancel()
			if err != nil {
				return fmt.Errorf("ping: %w", err)
			}
		}
	}
}
