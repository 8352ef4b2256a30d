// Command advisories writes a small vulnerability database for Trivy: what the tests' images are known to have.
//
// It is itself one of them: a program with modules of which the database knows something bad.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/aquasecurity/trivy-db/pkg/types"
	bolt "go.etcd.io/bbolt"
)

// advisory is one entry of the list that is read from standard input.
type advisory struct {
	Bucket     string // "alpine 3.24", or "go::…"
	Package    string
	ID         string
	Severity   string
	Title      string
	Fixed      string // of a system's package
	Vulnerable string // versions of a module, as in "<1.2.3"
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: advisories DIR < LIST.json")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(dir string) error {
	var list []advisory
	if err := json.NewDecoder(os.Stdin).Decode(&list); err != nil {
		return err
	}
	database, err := bolt.Open(filepath.Join(dir, "trivy.db"), 0o600, nil)
	if err != nil {
		return err
	}
	defer database.Close()
	return database.Update(func(tx *bolt.Tx) error {
		for _, one := range list {
			if err := add(tx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// add writes what Trivy asks for one advisory: the advisory, who says so, and what it is about.
func add(tx *bolt.Tx, one advisory) error {
	severity, err := types.NewSeverity(one.Severity)
	if err != nil {
		return err
	}
	entry := types.Advisory{FixedVersion: one.Fixed}
	if one.Vulnerable != "" {
		entry.VulnerableVersions = []string{one.Vulnerable}
	}
	if err := put(tx, []string{one.Bucket, one.Package}, one.ID, &entry); err != nil {
		return err
	}
	source := types.DataSource{ID: "tests", Name: "the tests' own", URL: "https://example.test"}
	if err := put(tx, []string{"data-source"}, one.Bucket, source); err != nil {
		return err
	}
	return put(tx, []string{"vulnerability"}, one.ID, types.Vulnerability{
		Title:          one.Title,
		Severity:       one.Severity,
		VendorSeverity: types.VendorSeverity{"nvd": severity},
	})
}

// put lays a value as JSON under nested buckets.
func put(tx *bolt.Tx, names []string, key string, value any) error {
	bucket, err := tx.CreateBucketIfNotExists([]byte(names[0]))
	if err != nil {
		return err
	}
	for _, name := range names[1:] {
		if bucket, err = bucket.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put([]byte(key), text)
}
