package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What is measured when no flag says otherwise.
const (
	defaultServers  = "cyrus,jmaptest"
	defaultRTTs     = "0,20,100"
	defaultSizes    = "small,mixed"
	defaultMessages = 0
)

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	servers := flag.String("servers", defaultServers, "cyrus, jmaptest, or profiles of jmaptest (stalwart-0.7, …), by commas")
	rtts := flag.String("rtt", defaultRTTs, "round-trip times in ms, by commas")
	sizes := flag.String("sizes", defaultSizes, "classes of sizes, by commas: small (median 8 KB), mixed (median 25 KB, tail to 25 MB), large (median 4 MB), metadata (no body), huge (25 MB each)")
	messages := flag.Int("messages", defaultMessages, "small messages (of mixed ones a quarter, of large ones 1 in 125); 0: 10 000 on cyrus, 20 000 elsewhere")
	rounds := flag.Int("rounds", 3, "how often each line is measured")
	limit := flag.Float64("limit", 6, "how long a bare loop is measured, in seconds")
	trial := flag.Float64("trial", 0.7, "how long a bare loop is tried at each number of connections, in seconds")
	only := flag.String("only", "", "export or import: measure only that half")
	syncing := flag.Bool("sync", false, "measure sync against its slower half, instead of the scenarios")
	profiles := flag.String("profiles", "", "a directory for profiles of mailhaul's processes")
	growing := flag.String("growth", "", "measure accounts of so many messages, by commas, small ones or of the one class that -sizes names, on jmaptest or the one profile that -servers names, instead of the scenarios")
	cut := flag.Bool("apart", canApart && runtime.NumCPU() > 1, "keep the server to one half of the processors and the client to the other, as if they were two machines")
	serving := flag.String("serve", "", "be a server (the benchmark starts itself this way)")
	hauling := flag.String("haul", "", "be mailhaul (the benchmark starts itself this way)")
	delaying := flag.String("delay", "", "be a proxy (the benchmark starts itself this way)")
	flag.Parse()
	switch {
	case *serving != "":
		return serve(*serving)
	case *hauling != "":
		return obeyHaul(*hauling)
	case *delaying != "":
		return obeyDelay(*delaying)
	}
	if !*syncing && (*cut || os.Getenv(apartEnv) != "") { // three machines do not fit into two
		if err := apart(); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Printf("%s, %s/%s, %s; %s\n\n", time.Now().Format("2006-01-02 15:04"), runtime.GOOS, runtime.GOARCH, runtime.Version(), kind())
	if *growing != "" {
		counts, err := numbers(*growing)
		if err != nil {
			return err
		}
		c, err := growingWith(*sizes)
		if err != nil {
			return err
		}
		return growth(ctx, growingOn(*servers), c, counts, *only)
	}
	distances, err := numbers(*rtts)
	if err != nil {
		return err
	}
	fmt.Print(tableHead)
	for _, name := range strings.Split(*servers, ",") {
		for _, size := range strings.Split(*sizes, ",") {
			c, err := classNamed(size)
			if err != nil {
				return err
			}
			s := scenario{name: name, class: c, rounds: *rounds, limit: seconds(*limit), trial: seconds(*trial), out: os.Stdout, profiles: *profiles, only: *only, syncing: *syncing}
			s.n = count(*messages, name, c)
			err = s.everywhere(ctx, distances)
			if errors.Is(err, errNoCyrus) && *servers == defaultServers {
				fmt.Println(err)
				break
			}
			if err != nil {
				return fmt.Errorf("%s, %s: %w", name, size, err)
			}
		}
	}
	return nil
}

func count(messages int, server string, c class) int {
	if messages == 0 {
		messages = 20_000
		if server == "cyrus" {
			messages = 10_000
		}
	}
	return max(1, int(float64(messages)*c.share))
}

// everywhere measures a scenario at each distance.
func (s *scenario) everywhere(ctx context.Context, rtts []int) error {
	dir, err := os.MkdirTemp("", "mailhaul-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir = dir
	started, err := startServer(s.name)
	if err != nil {
		return err
	}
	defer started.Close()
	s.server = accounts{server: started}
	if err := started.Fill(s.class, s.n); err != nil {
		return err
	}
	s.mail = slices.Collect(s.class.mail(s.n))
	near, err := dial(ctx, "http://"+started.Addr(), source)
	if err != nil {
		return err
	}
	defer near.close()
	if s.all, err = near.list(ctx); err != nil {
		return err
	}
	if len(s.all) != s.n {
		return fmt.Errorf("the server holds %d messages, not %d", len(s.all), s.n)
	}
	for _, ms := range rtts {
		s.rtt = time.Duration(ms) * time.Millisecond
		if err := s.measure(ctx); err != nil {
			return fmt.Errorf("at %v: %w", s.rtt, err)
		}
	}
	return nil
}

func numbers(list string) ([]int, error) {
	var all []int
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
