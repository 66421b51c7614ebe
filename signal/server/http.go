package server

import (
	"log/slog"
	"net/http"
	"time"
)

// NewHTTP returns an HTTP server for handler whose limits suit the open internet: a client that
// sends its request slowly, or leaves a connection idle, does not hold it for long.
func NewHTTP(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second, // until the handler takes a WebSocket over
		WriteTimeout:      10 * time.Second, // likewise
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    8 << 10, // a proxy adds some; a browser's cookies are not for us
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
