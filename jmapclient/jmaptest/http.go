package jmaptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// serve routes a request: sign in, then by path.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	kind, handle := "", (func(http.ResponseWriter, *http.Request, *account, string))(nil)
	switch {
	case path == "/.well-known/jmap" || path == "/jmap/session" || path == s.p.SessionPath && r.Method == http.MethodGet:
		kind, handle = "session", s.serveSession
	case path == "/jmap":
		kind, handle = "api", s.serveAPI
	case strings.HasPrefix(path, "/jmap/upload/"):
		kind, handle = "upload", s.serveUpload
	case strings.HasPrefix(path, "/jmap/download/"):
		kind, handle = "download", s.serveDownload
	case s.managesAt(path):
		kind, handle = "manage", s.serveManagement
	case path == "/jmap/eventsource":
		kind, handle = "eventsource", s.serveEvents
	default:
		problem(w, http.StatusNotFound, "", "Not Found", "There is nothing here.")
		return
	}
	if path == "/.well-known/jmap" && s.p.SessionPath != "" {
		http.Redirect(w, r, s.p.SessionPath, http.StatusMovedPermanently)
		return
	}
	if path == "/.well-known/jmap" && s.p.SessionRedirect {
		http.Redirect(w, r, "/jmap/session", http.StatusTemporaryRedirect)
		return
	}
	caller := s.signIn(r)
	if caller == nil && !(kind == "session" && s.p.AnonymousSession && r.Header.Get("Authorization") == "") {
		unauthorized(w)
		return
	}
	if caller != nil && !s.inRate(caller) {
		problem(w, http.StatusTooManyRequests, "", "Too Many Requests", "You ask too often. Wait a little.")
		return
	}
	if want := map[string]string{"api": "POST", "upload": "POST", "session": "GET", "download": "GET", "eventsource": "GET"}[kind]; want != "" && r.Method != want {
		w.Header().Set("Allow", want)
		problem(w, http.StatusMethodNotAllowed, "", "Method Not Allowed", "Use "+want+" here.")
		return
	}
	handle(w, r, caller, path)
}

func (s *Server) serveSession(w http.ResponseWriter, r *http.Request, caller *account, _ string) {
	login := ""
	if caller != nil {
		login = caller.user.Login
	}
	f := s.traffic.count(Request{Kind: "session", Login: login})
	if !f.before(w) {
		return
	}
	body := encode(s.session(r, caller))
	s.answer(w, r, f, http.StatusOK, "application/json; charset=utf-8", body)
}

// serveUpload is RFC 8620 §6.1.
func (s *Server) serveUpload(w http.ResponseWriter, r *http.Request, caller *account, path string) {
	f := s.traffic.count(Request{Kind: "upload", Login: caller.user.Login})
	if !f.before(w) {
		return
	}
	a := s.reachable(w, caller, strings.TrimPrefix(path, "/jmap/upload/"))
	if a == nil {
		return
	}
	leave, ok := s.enter(w, "maxConcurrentUpload", caller, s.p.Limits.MaxConcurrentUpload)
	if !ok {
		return
	}
	defer leave()
	data, err := readAll(r, s.p.Limits.MaxSizeUpload)
	if errors.Is(err, errTooLarge) {
		limitProblem(w, "maxSizeUpload")
		return
	}
	if err != nil {
		return // the client went in the middle: nothing is stored
	}
	if len(data) == 0 && s.p.EmptyUploadFails {
		problem(w, http.StatusInternalServerError, "", "Internal Server Error", "There is nothing to store.")
		return
	}
	typ := r.Header.Get("Content-Type")
	if typ == "" {
		typ = "application/octet-stream"
	}
	id, ok := s.upload(caller, a, data, typ)
	if !ok {
		problem(w, s.p.UploadQuotaStatus, "", "Quota exceeded", s.uploadQuotaText())
		return
	}
	size := len(data)
	if f != nil && f.Do == WrongSize {
		size--
	}
	leave()
	body := encode(object{"accountId": a.id, "blobId": id, "type": typ, "size": size})
	status := http.StatusOK
	if s.p.UploadCreated {
		status = http.StatusCreated
	}
	s.answer(w, r, f, status, "application/json; charset=utf-8", body)
}

// upload stores bytes as an upload of the account; false when that passes the caller's upload quota.
func (s *Server) upload(caller, a *account, data []byte, typ string) (blobID string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.exempt(caller) && a.uploadRefused(int64(len(data))) {
		return "", false
	}
	b := s.keep(data)
	a.addUpload(b, typ)
	return s.uploadBlobID(b.hash), true
}

func (s *Server) uploadQuotaText() string {
	return "No more than " + strconv.Itoa(s.p.UploadFilesPerHour) + " uploads or " +
		strconv.FormatInt(s.p.UploadOctetsPerHour, 10) + " octets in an hour."
}

// serveDownload is RFC 8620 §6.2.
func (s *Server) serveDownload(w http.ResponseWriter, r *http.Request, caller *account, path string) {
	parts := strings.Split(strings.TrimPrefix(path, "/jmap/download/"), "/")
	if len(parts) < 2 {
		problem(w, http.StatusNotFound, "", "Not Found", "There is no such blob.")
		return
	}
	blobID, _ := url.PathUnescape(parts[1])
	f := s.traffic.count(Request{Kind: "download", Login: caller.user.Login, BlobID: blobID})
	if !f.before(w) {
		return
	}
	if s.p.DownloadsAreRequests {
		leave, ok := s.enter(w, "maxConcurrentRequests", caller, s.p.Limits.MaxConcurrentRequests)
		if !ok {
			return
		}
		defer leave()
	}
	a := s.reachable(w, caller, parts[0])
	if a == nil {
		return
	}
	s.mu.Lock()
	b := a.blobByID(blobID)
	s.mu.Unlock()
	if b == nil {
		problem(w, http.StatusNotFound, "", "Not Found", "There is no such blob.")
		return
	}
	typ := r.URL.Query().Get("accept")
	if typ == "" {
		typ = "application/octet-stream"
	}
	s.answer(w, r, f, http.StatusOK, typ, b.data)
}

// reachable is the account that a path names, or nil after it has answered
// that the caller may not use it.
func (s *Server) reachable(w http.ResponseWriter, caller *account, escaped string) *account {
	id, _ := url.PathUnescape(escaped)
	s.mu.Lock()
	a := s.byID[id]
	ok := a != nil && s.allowed(caller, a)
	s.mu.Unlock()
	if ok {
		return a
	}
	problem(w, http.StatusNotFound, "", "Not Found", "There is no such account for you.")
	return nil
}

var errTooLarge = errors.New("the body is larger than the limit")

// readAll reads a body of at most limit octets.
func readAll(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	var data []byte
	var err error
	if r.ContentLength >= 0 {
		data = make([]byte, r.ContentLength)
		_, err = io.ReadFull(r.Body, data)
	} else if data, err = io.ReadAll(io.LimitReader(r.Body, limit+1)); int64(len(data)) > limit {
		return nil, errTooLarge
	}
	return data, err
}

// problem answers with a problem document (RFC 7807).
func problem(w http.ResponseWriter, status int, typ, title, detail string) {
	if typ == "" {
		typ = "about:blank"
	}
	o := object{"type": typ, "status": status, "detail": detail}
	if title != "" {
		o["title"] = title
	}
	writeProblem(w, status, o)
}

// limitProblem is RFC 8620 §3.6.1's limit error.
func limitProblem(w http.ResponseWriter, limit string) {
	writeProblem(w, http.StatusBadRequest, object{
		"type": "urn:ietf:params:jmap:error:limit", "status": http.StatusBadRequest,
		"detail": "The request passes the server's limit " + limit + ".", "limit": limit,
	})
}

func writeProblem(w http.ResponseWriter, status int, o object) {
	body := encode(o)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", `Basic realm="jmaptest"`)
	problem(w, http.StatusUnauthorized, "", "Unauthorized", "Sign in first.")
}

// isJSON says whether a content type is application/json (RFC 8620 §3.6.1, notJSON).
func isJSON(contentType string) bool {
	t, _, err := mime.ParseMediaType(contentType)
	return err == nil && t == "application/json"
}

// encode writes JSON; what the server answers can always be written.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("jmaptest: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
