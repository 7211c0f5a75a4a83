package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"mailhaul/importer"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// dialWithIMAP is dial, and how to reach the same user's mail over IMAP; nil
// without a URL for that.
func (a *app) dialWithIMAP(ctx context.Context, cmd *cobra.Command, imapURL string) (*jmapclient.Client, *importer.IMAP, error) {
	if imapURL == "" {
		client, err := a.dial(ctx, cmd)
		return client, nil, err
	}
	o, err := a.clientOptions(ctx, cmd)
	if err != nil {
		return nil, nil, err
	}
	door, err := imapDoor(imapURL, o)
	if err != nil {
		return nil, nil, usage(cmd, err)
	}
	if o.Insecure {
		a.screen.emit(progress.Event{Kind: progress.Warning, Text: "--insecure: no server's certificate is checked, anyone on the way can read the password"})
	}
	client, err := a.connect(ctx, o)
	return client, door, err
}

// imapPorts are the schemes of an IMAP URL (RFC 5092; imaps as in RFC 8314
// §3.2) with their ports.
var imapPorts = map[string]string{"imaps": "993", "imap": "143"}

// imapDoor reads an IMAP URL. Credentials and trust are those for JMAP.
func imapDoor(s string, o jmapclient.Options) (*importer.IMAP, error) {
	u, err := url.Parse(s)
	if err == nil && u.User != nil {
		return nil, errors.New("a URL is no place for a password (it ends up in logs): --imap-url signs in with the credentials of -c")
	}
	if err != nil || imapPorts[u.Scheme] == "" || u.Hostname() == "" || u.Path != "" && u.Path != "/" {
		return nil, errors.New("--imap-url takes imaps://HOST or imaps://HOST:PORT")
	}
	if o.Auth.Token != "" {
		return nil, errors.New("--imap-url signs in with a user's password, and not with --auth bearer")
	}
	door := &importer.IMAP{Addr: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), imapPorts[u.Scheme])), Auth: o.Auth, Rate: o.Rate}
	if u.Scheme == "imap" {
		if !loopback(u.Hostname()) && !o.Insecure {
			return nil, fmt.Errorf("imap://%s would send the password in the clear: give imaps:// (or --insecure, if nobody can listen on the way)", u.Host)
		}
		return door, nil
	}
	door.TLS = &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: o.Insecure}
	if o.CAFile != "" {
		if door.TLS.RootCAs, err = trusting(o.CAFile); err != nil {
			return nil, err
		}
	}
	return door, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// trusting is the system's certificates and those in a PEM file.
func trusting(file string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // there are systems without
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of --ca-file: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca-file %s holds no certificate in PEM form", file)
	}
	return pool, nil
}
