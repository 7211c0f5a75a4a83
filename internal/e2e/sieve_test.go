package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// script is a Sieve script, as ManageSieve shows it.
type script struct {
	Text   string
	Active bool
}

func TestSieveScriptsArrive(t *testing.T) {
	t.Parallel()
	from, to := startCyrus(t).(cyrus), startCyrus(t).(cyrus)
	from.AddUser(alice)
	to.AddUser(alice)
	want := map[string]script{
		"filters":     {"require [\"fileinto\"];\r\nif header :contains \"subject\" \"Angebot für\" { fileinto \"Archive\"; }\r\n", true},
		"old rules":   {"# kept for later\r\nkeep;\r\n", false},
		"Urlaub 2024": {"require [\"vacation\"];\r\nvacation \"Bin weg.\";\r\n", false},
	}
	conn := manageSieve(t, from)
	for name, s := range want {
		conn.put(name, s)
	}
	archive := exportAccount(t, from, alice, t.TempDir())
	for range 2 { // the second import finds them there
		importAccount(t, to, alice, archive)
		if d := cmp.Diff(want, manageSieve(t, to).scripts()); d != "" {
			t.Errorf("scripts differ (- wanted, + there):\n%s", d)
		}
	}
}

// sieveConn speaks ManageSieve, RFC 5804, as alice.
type sieveConn struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func manageSieve(t *testing.T, s cyrus) *sieveConn {
	t.Helper()
	conn, err := net.Dial("tcp", s.SieveAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &sieveConn{t, conn, bufio.NewReader(conn)}
	c.answer("greeting")
	c.ask(fmt.Sprintf("AUTHENTICATE \"PLAIN\" %q", base64.StdEncoding.EncodeToString([]byte("\x00"+alice+"\x00"+password))))
	return c
}

func (c *sieveConn) put(name string, s script) {
	c.t.Helper()
	c.ask("PUTSCRIPT " + quote(name) + " " + quote(s.Text))
	if s.Active {
		c.ask("SETACTIVE " + quote(name))
	}
}

func (c *sieveConn) scripts() map[string]script {
	c.t.Helper()
	scripts := map[string]script{}
	for _, line := range c.ask("LISTSCRIPTS") {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, `"`), `"`)
		scripts[name] = script{c.ask("GETSCRIPT " + quote(name))[0], strings.TrimSpace(rest) == "ACTIVE"}
	}
	return scripts
}

// ask sends a command and answers the lines and literals before its OK.
func (c *sieveConn) ask(command string) []string {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, command+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
	verb, _, _ := strings.Cut(command, " ")
	return c.answer(verb)
}

func (c *sieveConn) answer(what string) (lines []string) {
	c.t.Helper()
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("ManageSieve %s: %v", what, err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch n, isLiteral := literal(line); {
		case strings.HasPrefix(line, "OK"):
			return lines
		case strings.HasPrefix(line, "NO"), strings.HasPrefix(line, "BYE"):
			c.t.Fatalf("ManageSieve %s: %s", what, line)
		case isLiteral:
			text := make([]byte, n)
			if _, err := io.ReadFull(c.r, text); err != nil {
				c.t.Fatal(err)
			}
			lines = append(lines, string(text))
		case line != "":
			lines = append(lines, line)
		}
	}
}

// quote is a string as a literal, which may hold line ends.
func quote(s string) string { return fmt.Sprintf("{%d+}\r\n%s", len(s), s) }

// literal reads "{12}", the announcement of that many octets.
func literal(line string) (int, bool) {
	inner, ok := strings.CutPrefix(line, "{")
	inner, closed := strings.CutSuffix(inner, "}")
	n, err := strconv.Atoi(strings.TrimSuffix(inner, "+"))
	return n, ok && closed && err == nil
}
