package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/zalando/go-keyring"

	"mailhaul/jmapclient"
)

// Secrets finds what the references of a plan stand for:
//
//	env:NAME              an environment variable
//	file:PATH             the first line of a file that nobody else may read
//	keyring:SERVICE/USER  the system's keyring
//	prompt                asked for on the terminal, once
type Secrets struct {
	Env    func(string) string
	Prompt func(ctx context.Context, question string) (answer string, asked bool, err error)

	mu    sync.Mutex
	asked map[string]string
}

const references = "credentials are a reference: env:NAME, file:PATH, keyring:SERVICE/USER or prompt"

// checkReference refuses what is no reference. It does not repeat it: it may
// well be the password.
func checkReference(ref string) error {
	kind, rest, found := strings.Cut(ref, ":")
	switch {
	case ref == "" || ref == "prompt":
		return nil
	case !found || rest == "":
		return errors.New(references)
	case kind == "keyring":
		if _, user, ok := strings.Cut(rest, "/"); !ok || user == "" {
			return errors.New("the keyring is asked as keyring:SERVICE/USER")
		}
	case kind != "env" && kind != "file":
		return errors.New(references)
	}
	return nil
}

// resolve finds what a reference stands for; question is what a prompt asks.
func (s *Secrets) resolve(ctx context.Context, p *Plan, ref, question string) (string, error) {
	kind, rest, _ := strings.Cut(ref, ":")
	var secret string
	var err error
	switch kind {
	case "env":
		if secret = s.Env(rest); secret == "" {
			err = errors.New("the variable is not set")
		}
	case "file":
		secret, err = firstLine(p.beside(rest))
	case "keyring":
		service, user, _ := strings.Cut(rest, "/")
		secret, err = keyring.Get(service, user)
	case "prompt":
		secret, err = s.ask(ctx, question)
	default:
		err = errors.New(references)
	}
	if err == nil && secret == "" {
		err = errors.New("it is empty")
	}
	if err != nil {
		return "", fmt.Errorf("credentials %s (%s): %w", ref, question, err)
	}
	return secret, nil
}

// ask asks each question once.
func (s *Secrets) ask(ctx context.Context, question string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if answer, ok := s.asked[question]; ok {
		return answer, nil
	}
	answer, asked, err := s.Prompt(ctx, "Credentials for "+question+": ")
	if err != nil {
		return "", err
	}
	if !asked {
		return "", errors.New("there is no terminal to ask on")
	}
	if s.asked == nil {
		s.asked = map[string]string{}
	}
	s.asked[question] = answer
	return answer, nil
}

func firstLine(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("others may read it (mode %04o): chmod 600 %s", st.Mode().Perm(), path)
	}
	line, err := bufio.NewReader(io.LimitReader(f, 64<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// auth is a secret as it signs in: a token, user:password, or a password alone,
// which is that of user.
func auth(secret, user string, bearer bool) jmapclient.Auth {
	if bearer {
		return jmapclient.Auth{Token: secret}
	}
	if name, password, ok := strings.Cut(secret, ":"); ok {
		return jmapclient.Auth{Username: name, Password: password}
	}
	return jmapclient.Auth{Username: user, Password: secret}
}
