// bridge gorilla|nhooyr: controls one of two libraries in Go through the frames on stdin and stdout that python/bridged.py documents.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	nhooyr "nhooyr.io/websocket"
)

const maxMessage = 32 << 20

// A connection of either library. read returns the kind of frame: a message 'T' or 'B', a Close 'C', or an error for the end.
type socket interface {
	read() (byte, []byte, error)
	write(kind byte, payload []byte) error
}

// emit writes a frame for this connection.
type emit func(kind byte, payload []byte)

// open connects, or returns the response that rejected the connection.
type library struct {
	open   func(url string, protocols []string, setting string, tell emit) (socket, string, *http.Response, error)
	accept func(w http.ResponseWriter, r *http.Request, protocols []string, setting string, tell emit) (socket, error)
}

var libraries = map[string]library{
	"gorilla": {openGorilla, acceptGorilla},
	"nhooyr":  {openNhooyr, acceptNhooyr},
}

var (
	stdout  sync.Mutex
	table   sync.Mutex
	sockets = map[uint32]chan frame{}
	next    = uint32(1 << 31) // the server's connections; the other end numbers the connections that it opens
)

type frame struct {
	kind    byte
	payload []byte
}

func send(id uint32, kind byte, payload []byte) {
	stdout.Lock()
	defer stdout.Unlock()
	head := make([]byte, 9, 9+len(payload))
	binary.BigEndian.PutUint32(head, id)
	head[4] = kind
	binary.BigEndian.PutUint32(head[5:], uint32(len(payload)))
	os.Stdout.Write(append(head, payload...))
}

func receive(in io.Reader) (uint32, frame, error) {
	var head [9]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, frame{}, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[5:]))
	_, err := io.ReadFull(in, payload)
	return binary.BigEndian.Uint32(head[:]), frame{head[4], payload}, err
}

// add creates a queue for the other end's commands for a connection.
func add(id uint32) chan frame {
	queue := make(chan frame, 4096)
	table.Lock()
	defer table.Unlock()
	sockets[id] = queue
	return queue
}

// run reports everything that is read, and executes the queued commands, until the connection ends.
func run(id uint32, s socket, queue chan frame) {
	go func() {
		for frame := range queue {
			if err := s.write(frame.kind, frame.payload); err != nil {
				continue
			}
		}
	}()
	for {
		kind, payload, err := s.read()
		if err != nil {
			send(id, 'E', []byte(err.Error()))
			return
		}
		send(id, kind, payload)
		if kind == 'C' {
			send(id, 'E', nil)
			return
		}
	}
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' })
}

func main() {
	lib := libraries[os.Args[1]]
	in := bufio.NewReader(os.Stdin)
	for {
		id, frame, err := receive(in)
		if err != nil {
			return
		}
		switch frame.kind {
		case 'S':
			serve(lib)
		case 'N':
			words := strings.Split(string(frame.payload), "\n")
			queue := add(id)
			go connect(lib, id, words[0], split(words[1]), words[2], queue)
		default:
			table.Lock()
			queue := sockets[id]
			table.Unlock()
			queue <- frame
		}
	}
}

func connect(lib library, id uint32, url string, protocols []string, setting string, queue chan frame) {
	tell := func(kind byte, payload []byte) { send(id, kind, payload) }
	s, protocol, response, err := lib.open(url, protocols, setting, tell)
	if err == nil {
		send(id, 'O', []byte(protocol))
		run(id, s, queue)
	} else if response != nil && response.StatusCode >= 400 {
		body, _ := io.ReadAll(response.Body)
		send(id, 'R', append([]byte{byte(response.StatusCode >> 8), byte(response.StatusCode)}, body...))
	} else {
		send(id, 'E', []byte(err.Error()))
	}
}

func serve(lib library) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	send(0, 'L', []byte(strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)))
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/")); err == nil {
			http.Error(w, "no entry", status)
			return
		}
		setting := ""
		if strings.HasPrefix(r.URL.Path, "/compression/") {
			setting = strings.TrimPrefix(r.URL.Path, "/compression/")
		}
		protocols := split(r.Header.Get("Sec-WebSocket-Protocol"))
		if len(protocols) > 1 {
			protocols = protocols[:1]
		}
		table.Lock()
		next++
		id := next
		table.Unlock()
		tell := func(kind byte, payload []byte) { send(id, kind, payload) }
		s, err := lib.accept(w, r, protocols, setting, tell)
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			return
		}
		queue := add(id)
		send(id, 'O', []byte(r.URL.RequestURI()))
		run(id, s, queue)
	}))
}

func closing(payload []byte) (int, string) {
	return int(binary.BigEndian.Uint16(payload)), string(payload[2:])
}

func closed(code int, reason string) []byte {
	return append([]byte{byte(code >> 8), byte(code)}, reason...)
}

type gorilla struct{ *websocket.Conn }

func newGorilla(c *websocket.Conn, tell emit) gorilla {
	c.SetPongHandler(func(payload string) error {
		tell('P', []byte(payload))
		return nil
	})
	return gorilla{c}
}

func openGorilla(url string, protocols []string, setting string, tell emit) (socket, string, *http.Response, error) {
	dialer := websocket.Dialer{Subprotocols: protocols, EnableCompression: setting != ""}
	c, response, err := dialer.Dial(url, nil)
	if err != nil {
		return nil, "", response, err
	}
	return newGorilla(c, tell), c.Subprotocol(), nil, nil
}

func acceptGorilla(w http.ResponseWriter, r *http.Request, protocols []string, setting string, tell emit) (socket, error) {
	upgrader := websocket.Upgrader{Subprotocols: protocols, EnableCompression: setting != ""}
	upgrader.CheckOrigin = func(*http.Request) bool { return true }
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	return newGorilla(c, tell), nil
}

func (c gorilla) read() (byte, []byte, error) {
	kind, payload, err := c.ReadMessage()
	var end *websocket.CloseError
	if errors.As(err, &end) && end.Code != websocket.CloseAbnormalClosure {
		c.Close()
		return 'C', closed(end.Code, end.Text), nil
	}
	if kind == websocket.BinaryMessage {
		return 'B', payload, err
	}
	return 'T', payload, err
}

func (c gorilla) write(kind byte, payload []byte) error {
	soon := time.Now().Add(10 * time.Second)
	switch kind {
	case 'T':
		// Messages that begin with "plain" must not be compressed.
		c.EnableWriteCompression(!strings.HasPrefix(string(payload), "plain"))
		return c.WriteMessage(websocket.TextMessage, payload)
	case 'B':
		c.EnableWriteCompression(true)
		return c.WriteMessage(websocket.BinaryMessage, payload)
	case 'P':
		return c.WriteControl(websocket.PingMessage, payload, soon)
	case 'C':
		return c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closing(payload)), soon)
	}
	return c.UnderlyingConn().Close()
}

type nhooyrs struct {
	*nhooyr.Conn
	tell emit
}

func mode(setting string) nhooyr.CompressionMode {
	switch setting {
	case "":
		return nhooyr.CompressionDisabled
	case "no-takeover":
		return nhooyr.CompressionNoContextTakeover
	}
	return nhooyr.CompressionContextTakeover
}

func openNhooyr(url string, protocols []string, setting string, tell emit) (socket, string, *http.Response, error) {
	options := nhooyr.DialOptions{Subprotocols: protocols, CompressionMode: mode(setting)}
	c, response, err := nhooyr.Dial(context.Background(), url, &options)
	if err != nil {
		return nil, "", response, err
	}
	c.SetReadLimit(maxMessage)
	return nhooyrs{c, tell}, c.Subprotocol(), nil, nil
}

func acceptNhooyr(w http.ResponseWriter, r *http.Request, protocols []string, setting string, tell emit) (socket, error) {
	options := nhooyr.AcceptOptions{Subprotocols: protocols, CompressionMode: mode(setting), InsecureSkipVerify: true}
	c, err := nhooyr.Accept(w, r, &options)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(maxMessage)
	return nhooyrs{c, tell}, nil
}

func (c nhooyrs) read() (byte, []byte, error) {
	kind, payload, err := c.Read(context.Background())
	var end nhooyr.CloseError
	if errors.As(err, &end) {
		return 'C', closed(int(end.Code), end.Reason), nil
	}
	if kind == nhooyr.MessageBinary {
		return 'B', payload, err
	}
	return 'T', payload, err
}

func (c nhooyrs) write(kind byte, payload []byte) error {
	soon, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	switch kind {
	case 'T':
		return c.Write(soon, nhooyr.MessageText, payload)
	case 'B':
		return c.Write(soon, nhooyr.MessageBinary, payload)
	case 'P':
		// The library chooses the payload on the wire.
		err := c.Ping(soon)
		if err == nil {
			c.tell('P', payload)
		}
		return err
	case 'C':
		code, reason := closing(payload)
		return c.Close(nhooyr.StatusCode(code), reason)
	}
	return c.Close(nhooyr.StatusInternalError, "")
}
