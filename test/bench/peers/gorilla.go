// An echo server over gorilla/websocket, to race against.  gorilla PORT
//
// Settings: gorilla leaves it to the application to check that text is UTF-8 (its documentation,
// "Data Messages"), so it is checked here, as in gorilla's own Autobahn example. Buffers of 64 KiB:
// larger ones make fewer system calls for large messages ("Buffers"); those for writing are pooled,
// so that idle connections hold none. A message is read into one buffer per connection, used again.
// Go sets TCP_NODELAY itself, and takes as many processors as it is pinned to.
//
// SPDX-License-Identifier: MIT
package main

import (
	"bytes"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

const messageLimitBytes = 64 * 1024 * 1024

var upgrader = websocket.Upgrader{
	ReadBufferSize:  64 * 1024,
	WriteBufferSize: 64 * 1024,
	WriteBufferPool: &sync.Pool{},
}

func echo(response http.ResponseWriter, request *http.Request) {
	connection, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	defer connection.Close()
	connection.SetReadLimit(messageLimitBytes)
	var message bytes.Buffer
	for {
		kind, reader, err := connection.NextReader()
		if err != nil {
			return
		}
		message.Reset()
		if _, err = message.ReadFrom(reader); err != nil {
			return
		}
		if kind == websocket.TextMessage && !utf8.Valid(message.Bytes()) {
			reason := websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, "")
			connection.WriteControl(websocket.CloseMessage, reason, time.Time{})
			return
		}
		if connection.WriteMessage(kind, message.Bytes()) != nil {
			return
		}
	}
}

func main() {
	http.HandleFunc("/", echo)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
