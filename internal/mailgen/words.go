package mailgen

import (
	"fmt"
	"mime"
	"strings"
	"time"
)

type person struct{ name, address string }

func (p person) domain() string { return p.address[strings.IndexByte(p.address, '@')+1:] }

// String is the person as a From or To field has it.
func (p person) String() string {
	return fmt.Sprintf("%s <%s>", mime.QEncoding.Encode("utf-8", p.name), p.address)
}

var people = []person{
	{"Bob Tanner", "bob@example.com"}, {"Chiara Nuñez", "chiara@example.net"}, {"Дмитрий Орлов", "orlov@mail.example.ru"},
	{"Erika Müller-Lüdenscheidt", "erika@example.de"}, {"藤原 さくら", "sakura@example.jp"}, {"Göran Åström", "goran@example.se"},
	{"The Weekly Kettle", "news@kettle.example.com"}, {"Railway Tickets", "noreply@rail.example.net"}, {"Hana Dvořáková", "hana@example.cz"},
	{"Ola Bright", "ola@bridge.example.com"}, {"Quartier Syndic", "syndic@example.fr"}, {"monitor", "root@host7.example.net"},
}

var zones = []*time.Location{
	time.UTC, time.FixedZone("", 3600), time.FixedZone("", 7200), time.FixedZone("", -5*3600), time.FixedZone("", 9*3600), time.FixedZone("", 5*3600+1800),
}

var greetings = []string{"Hello Alice", "Liebe Alice", "Dear all", "Hi", "Bonjour", "Доброе утро", "こんにちは"}

var subjects = []string{"*", "*", "*?", "Invoice: *", "[bridge] *", "Angebot für *", "Fotos: *", "Протокол: *", "Your ticket (*)", "写真 *", "URGENT *", "été — *"}

var attachments = []struct{ name, suffix, mediaType, magic string }{
	{"photo", ".jpg", "image/jpeg", "\xff\xd8\xff\xe0\x00\x10JFIF\x00"},
	{"screenshot", ".png", "image/png", "\x89PNG\r\n\x1a\n"},
	{"Gr%C3%BCne%20Rechnung", ".pdf", "application/pdf", "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"},
	{"minutes", ".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "PK\x03\x04"},
	{"backup", ".zip", "application/zip", "PK\x03\x04"},
}

var words = strings.Fields(`the to of and a in we is that for it on with as you be this at have by from are not will can
 but or your if our they so an would was there what about which when one all were their more has please just some time
 could out than been them into other up only new also after first most bridge over such two may any then made people
 because well before must through back years where much way down should each between under last never same another
 meeting Tuesday offer contract concrete steel delivery site photograph drawing revision measured pillar north bank
 river boat crane weather schedule delay budget invoice payment received thanks regards tomorrow morning afternoon
 ticket platform train arrival hotel kettle garden kitchen window painter carpenter grandmother birthday cake children
 school holiday mountain lake bicycle repair warranty serial number address street city account balance interest
 meter reading heating water pressure valve pump spare part order customer question answer proposal draft version
 attached enclosed below above earlier forward copy signature stamp original translation chapter page paragraph table
 figure appendix für nicht über können würde größer Straße Brücke Grüße schön später natürlich Übergabe Änderung
 déjà été après où même façon élève noël перевод отчёт встреча завтра спасибо проект работа город вопрос ответ
 signal sensor packet server backup disk mirror queue alert threshold exceeded restored nominal degraded interval
 lantern orchard quartz velvet timber marble copper lacquer thimble saddle anchor harbour compass ballast mooring`)
