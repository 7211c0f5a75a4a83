package jmaptest

import "strings"

// laterTypes are the rows of Stalwart 0.15 and 0.16: they take less than the
// standards and forget some of it.
func laterTypes(in016 bool) []Type {
	book, card, cal, event, who, file := addressBook, contactCard, calendar, calendarEvent, participantIdentity, fileNode
	book.Props = object{"name": "", "description": nil, "sortOrder": 0.0, "isDefault": false, "isSubscribed": in016, "shareWith": object{}}
	book.Hidden = []string{"shareWith"}
	book.Seeds = func(a *account) []object {
		return []object{{"name": "Stalwart Address Book (" + a.user.Login + ")", "isDefault": true}}
	}

	card.Required, card.Shapes, card.Made, card.Changed = nil, nil, "", ""
	card.Refused = map[string]string{"vCardProps": "Invalid property."}
	card.InlineBlobs = false
	card.BlobsRefused = "blobIds in media is not supported."
	card.Settle = func(_ *account, o object, _ string) {
		if in016 {
			fullName(o)
		}
	}

	cal.Props = object{"name": "", "description": nil, "color": nil, "timeZone": nil, "sortOrder": 0.0, "isDefault": false,
		"isSubscribed": in016, "isVisible": true, "includeInAvailability": "all", "defaultAlertsWithTime": nil,
		"defaultAlertsWithoutTime": nil, "shareWith": object{}}
	cal.Hidden = []string{"isVisible", "includeInAvailability", "defaultAlertsWithTime", "defaultAlertsWithoutTime", "shareWith"}
	cal.Seeds = func(a *account) []object {
		return []object{{"name": "Stalwart Calendar (" + a.user.Login + ")", "isDefault": true}}
	}

	event.Required, event.Shapes, event.Made, event.Changed, event.Unique = nil, nil, "", "", []string{"uid"}
	event.Props = object{"uid": nil, "calendarIds": nil, "isDraft": false, "isOrigin": true}
	event.Refused = map[string]string{"recurrenceRules": "Invalid property."}
	event.Settle = func(a *account, o object, now string) {
		settleOrigin(a, o)
		throughICalendar(o)
		if in016 {
			stampEvent(o, now)
		}
	}

	who.Stateless, who.First = true, new(uint32)

	if !in016 {
		file.Hidden = []string{"nodeType", "blobId", "target", "type", "created", "modified", "accessed", "changed", "executable",
			"isSubscribed", "shareWith", "role"}
		file.Rights = nil
		file.QueryHas = "blobId"
	}
	for _, t := range []*Type{&card, &event, &file} {
		t.QueryChanges = true
	}
	file.Props = clone(file.Props)
	file.Props["shareWith"] = object{}
	return []Type{book, card, cal, event, who, file, emailSubmission}
}

// fullName writes a name out of its components.
func fullName(o object) {
	name, _ := o["name"].(object)
	components, _ := name["components"].([]any)
	if name["full"] != nil || len(components) == 0 {
		return
	}
	var words []string
	for _, c := range components {
		c, _ := c.(object)
		if word, ok := c["value"].(string); ok {
			words = append(words, word)
		}
	}
	name["full"] = strings.Join(words, " ")
}

// throughICalendar leaves of an event what comes back out of iCalendar.
func throughICalendar(o object) {
	if rule, ok := o["recurrenceRule"].(object); ok {
		delete(rule, "@type")
		days, _ := rule["byDay"].([]any)
		for _, day := range days {
			if day, ok := day.(object); ok {
				delete(day, "@type")
			}
		}
	}
	participants, _ := o["participants"].(object)
	for _, p := range participants {
		p, _ := p.(object)
		if roles, _ := p["roles"].(object); len(roles) == 1 && roles["attendee"] == true {
			delete(p, "roles") // it is what an ATTENDEE is where nothing is said
		}
	}
}

// stampEvent dates an event, and each of its recurrences that is another.
func stampEvent(o object, now string) {
	o["updated"] = now
	overrides, _ := o["recurrenceOverrides"].(object)
	for _, change := range overrides {
		if change, ok := change.(object); ok && change["excluded"] != true {
			change["updated"] = now
		}
	}
}

// laterTypeCapabilities announce them.
func laterTypeCapabilities(in016 bool) []Capability {
	last := "65534-12-31T23:59:59Z"
	files := object{"maxFileNodeDepth": nil, "maxSizeFileNodeName": 255, "fileNodeQuerySortOptions": []string{}, "mayCreateTopLevelFileNode": true}
	if in016 {
		last = "9999-12-31T23:59:59Z"
		files["fileNodeQuerySortOptions"] = []string{"name", "size", "nodeType"}
		files["forbiddenNameChars"] = `/<>:"\|?*`
		files["forbiddenNodeNames"] = strings.Fields(`. .. CON PRN AUX NUL COM0 COM1 COM2 COM3 COM4 COM5 COM6 COM7 COM8 COM9
			LPT0 LPT1 LPT2 LPT3 LPT4 LPT5 LPT6 LPT7 LPT8 LPT9`)
		files["caseInsensitiveNames"] = false
		for _, p := range []string{"webTrashUrl", "webUrlTemplate", "webWriteUrlTemplate"} {
			files[p] = nil
		}
	}
	list := []Capability{
		{URN: urnContacts, Account: object{"maxAddressBooksPerCard": nil, "mayCreateAddressBook": true}},
		{URN: urnContacts + ":parse", Account: object{}},
		{URN: urnCalendars, Account: object{"maxCalendarsPerEvent": nil, "minDateTime": "0001-01-01T00:00:00Z", "maxDateTime": last,
			"maxExpandedQueryDuration": "P52W1D", "maxParticipantsPerEvent": 20, "mayCreateCalendar": true}},
		{URN: urnCalendars + ":parse", Account: object{}},
		{URN: urnFiles, Account: files},
	}
	for i := range list {
		list[i].Session, list[i].Shared = object{}, in016
	}
	return list
}
