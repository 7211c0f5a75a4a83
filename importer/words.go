package importer

import "mailhaul/account"

// singular and plural are what a person calls a type's objects.
var singular = map[string]string{
	account.Mailbox.Name:             "mailbox",
	account.Email.Name:               "message",
	account.Identity.Name:            "identity",
	account.SieveScript.Name:         "Sieve script",
	account.VacationResponse.Name:    "vacation response",
	account.AddressBook.Name:         "address book",
	account.ContactCard.Name:         "contact",
	account.Contact.Name:             "contact",
	account.ContactGroup.Name:        "contact group",
	account.Calendar.Name:            "calendar",
	account.CalendarEvent.Name:       "calendar event",
	account.ParticipantIdentity.Name: "calendar address",
	account.FileNode.Name:            "file or folder",
	account.Blob.Name:                "attachment",
	account.Quota.Name:               "quota",
	account.Principal.Name:           "principal",
	account.EmailSubmission.Name:     "message that waits to be sent",
}

// plural: see singular.
var plural = map[string]string{
	account.Mailbox.Name:             "mailboxes",
	account.Email.Name:               "messages",
	account.Identity.Name:            "identities",
	account.SieveScript.Name:         "Sieve scripts",
	account.VacationResponse.Name:    "vacation response",
	account.AddressBook.Name:         "address books",
	account.ContactCard.Name:         "contacts",
	account.Contact.Name:             "contacts",
	account.ContactGroup.Name:        "contact groups",
	account.Calendar.Name:            "calendars",
	account.CalendarEvent.Name:       "calendar events",
	account.ParticipantIdentity.Name: "calendar addresses",
	account.FileNode.Name:            "files and folders",
	account.Blob.Name:                "attachments",
	account.Quota.Name:               "quotas",
	account.Principal.Name:           "principals",
	account.EmailSubmission.Name:     "messages that wait to be sent",
}
