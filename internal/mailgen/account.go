package mailgen

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"time"
)

// mailboxes are the folders of a generated account, the more often named the
// more is in them.
var mailboxes = []string{
	Inbox, Inbox, Inbox, Inbox, Inbox, Inbox,
	"Sent", "Sent", "Sent",
	"Archive", "Archive", "Archive/2019", "Archive/2022", "Archive/2024",
	"Projects/Bridge/Offers", "Projects/Bridge/Site photos", "Projects/Café Übersee",
	"Familie/Großmutter", "Проекты/Отчёты", "旅行/京都",
	"Newsletters", "Receipts & bills", "Drafts", "Trash", "Junk",
}

// Account is an account of n messages with sizes as people have them: half of
// them below 12 KB, one in a hundred above 100 KB.
func Account(seed uint64, n int) iter.Seq[Message] { return Sized(seed, n, 12<<10) }

// Sized is an account of n messages whose sizes spread log-normally around the
// median, in octets. The mean is about 1.6 times the median.
func Sized(seed uint64, n int, median int) iter.Seq[Message] {
	return func(yield func(Message) bool) {
		g := &generator{rand: rand.New(rand.NewPCG(seed, 0x6d61696c)), seed: seed, median: median}
		for i := range n {
			if !yield(g.next(i)) {
				return
			}
		}
	}
}

// generator makes one message after the other; it remembers the threads that a
// later message may answer.
type generator struct {
	rand    *rand.Rand
	seed    uint64
	median  int
	threads []thread
}

// thread is a conversation so far.
type thread struct {
	subject    string
	references []string // Message-IDs, oldest first
	with       person
	mailbox    string
	last       time.Time
}

var firstDay = time.Date(2012, 3, 1, 6, 0, 0, 0, time.UTC)

const (
	days        = 5000 // from firstDay to the last message
	openThreads = 40   // that may be answered
)

func (g *generator) next(i int) Message {
	t := g.thread()
	id := fmt.Sprintf("%x.%d.%08x@%s", g.seed, i, g.rand.Uint32(), t.with.domain())
	raw := g.compose(t, id, g.size())
	t.references = append(t.references, id)
	m := Message{Mailboxes: []string{t.mailbox}, Keywords: g.keywords(t.mailbox), ReceivedAt: t.last, Raw: raw}
	if g.rand.IntN(40) == 0 && t.mailbox != "Archive" {
		m.Mailboxes = append(m.Mailboxes, "Archive")
	}
	return m
}

// thread picks an open conversation to go on with, or begins one.
func (g *generator) thread() *thread {
	if len(g.threads) > 0 && g.rand.IntN(100) < 45 {
		t := &g.threads[g.rand.IntN(len(g.threads))]
		t.last = t.last.Add(time.Duration(60+g.rand.IntN(4*86400)) * time.Second)
		return t
	}
	t := thread{
		subject: g.subject(),
		with:    people[g.rand.IntN(len(people))],
		mailbox: mailboxes[g.rand.IntN(len(mailboxes))],
		last:    firstDay.Add(time.Duration(g.rand.IntN(days*86400)) * time.Second),
	}
	if len(g.threads) < openThreads {
		g.threads = append(g.threads, t)
		return &g.threads[len(g.threads)-1]
	}
	k := g.rand.IntN(openThreads)
	g.threads[k] = t
	return &g.threads[k]
}

// size draws from a log-normal distribution with σ = 1, cut at 200 medians.
func (g *generator) size() int {
	n := float64(g.median) * math.Exp(g.rand.NormFloat64())
	return int(min(n, 200*float64(g.median)))
}

func (g *generator) keywords(mailbox string) []string {
	if mailbox == "Drafts" {
		return []string{"$draft", "$seen"}
	}
	var k []string
	for _, f := range []struct {
		keyword string
		percent int
	}{{"$seen", 85}, {"$answered", 20}, {"$flagged", 6}, {"$forwarded", 4}, {"$label1", 3}, {"invoice", 2}} {
		if g.rand.IntN(100) < f.percent {
			k = append(k, f.keyword)
		}
	}
	return k
}
