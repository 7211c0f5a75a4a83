package main

import (
	"fmt"
	"net/url"
	"strings"
)

const (
	domain   = "@example.org"
	source   = "source" + domain
	password = "bench"
)

// server is a running server with one filled account, source.
type server interface {
	// Addr is JMAP's host:port, IMAPAddr IMAP's, "" where there is none.
	Addr() string
	IMAPAddr() string
	// Fill makes the account source and puts n messages of a class into it.
	Fill(c class, n int) error
	// AddUser makes an empty account.
	AddUser(login string) error
	Close()
}

// startServer starts Cyrus, or jmaptest with the profile of that name.
func startServer(name string) (server, error) {
	if name == "cyrus" {
		return startCyrus()
	}
	return startMemory(name)
}

// accounts makes empty accounts with names of their own.
type accounts struct {
	server
	made int
}

func (a *accounts) fresh() (login string, err error) {
	a.made++
	login = fmt.Sprintf("target%d%s", a.made, domain)
	return login, a.AddUser(login)
}

func hostOf(address string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", err
	}
	return u.Host, nil
}
