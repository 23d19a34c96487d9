// Package failpoint names the moments at which a test may kill us: between two steps of a deploy, of a destroy or of a
// write. What is promised about crashes is shown by dying at every one of them.
//
// DOKKU_FAILPOINT names the point; NAME:N is the N-th time it is reached, from 1. Without the variable a point costs a
// look at a string that is empty.
package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// Env is the environment variable that arms a point.
const Env = "DOKKU_FAILPOINT"

// Point is the name of a moment.
type Point string

// The points of a deploy, a destroy, a renaming and a cloning, in the order in which they are passed.
const (
	DeployBegun      Point = "deploy-begun"      // the journal is written
	DeployCreated    Point = "deploy-created"    // a container is created and not started
	DeployStarted    Point = "deploy-started"    // all containers run
	DeployChecked    Point = "deploy-checked"    // all checks have passed
	DeployFiles      Point = "deploy-files"      // the settings of a rollback are in place
	DeployRecorded   Point = "deploy-recorded"   // the state files name the new containers
	DeploySwitched   Point = "deploy-switched"   // the proxy leads to the new containers
	DeployCommitting Point = "deploy-committing" // the hooks of the switch have ended well
	DeployCommitted  Point = "deploy-committed"  // the release is the current one
	DeployPromoted   Point = "deploy-promoted"   // the image has its names
	DeployRenamed    Point = "deploy-renamed"    // the containers have their names
	DeployEnded      Point = "deploy-ended"      // the journal is gone, git has not moved the branch
	RecoverBegun     Point = "recover-begun"     // a recovery has read the journal
	RecoverUndone    Point = "recover-undone"    // records and proxy are back, the rest of the new release is there
	DestroyBegun     Point = "destroy-begun"     // pre-delete was heard
	DestroyStopped   Point = "destroy-stopped"   // no container is left
	DestroyCleared   Point = "destroy-cleared"   // the proxy has forgotten the app
	DestroyImages    Point = "destroy-images"    // no image is left
	DestroyRenamed   Point = "destroy-renamed"   // the directory is no app's any more
	RenameBegun      Point = "rename-begun"      // it is written down, and the app has its old name
	RenameMoved      Point = "rename-moved"      // the app has its new name, and nothing else has followed
	RenameClaimed    Point = "rename-claimed"    // its containers have followed
	RenameImages     Point = "rename-images"     // its images have followed
	RenameFollowed   Point = "rename-followed"   // what plugins keep has followed
	RenameServed     Point = "rename-served"     // the proxy knows it by its new name
	RenameTold       Point = "rename-told"       // all is done but to say so
	CloneCopied      Point = "clone-copied"      // the copy is whole, and no app yet
	CloneMoved       Point = "clone-moved"       // it is an app, whose settings are not whole
	CloneFollowed    Point = "clone-followed"    // plugins have copied what they keep
	SyncStored       Point = "sync-stored"       // what was fetched is kept, and the branch has not moved
)

// The points of a write, which any command may pass, and more than once.
const (
	RecordWritten Point = "record-written" // the temporary file is written, and neither on the disk nor in its place
	RecordRenamed Point = "record-renamed" // the new content has its name, and the directory is not on the disk
)

// Writes lists the points of a write.
func Writes() []Point { return []Point{RecordWritten, RecordRenamed} }

// All lists the points that are no writes.
func All() []Point {
	return []Point{DeployBegun, DeployCreated, DeployStarted, DeployChecked, DeployFiles, DeployRecorded, DeploySwitched,
		DeployCommitting, DeployCommitted, DeployPromoted, DeployRenamed, DeployEnded, RecoverBegun, RecoverUndone,
		DestroyBegun, DestroyStopped, DestroyCleared, DestroyImages, DestroyRenamed,
		RenameBegun, RenameMoved, RenameClaimed, RenameImages, RenameFollowed, RenameServed, RenameTold,
		CloneCopied, CloneMoved, CloneFollowed, SyncStored}
}

// armed is read once, when it is first asked for: no start of a program does work for it.
var (
	read  sync.Once
	armed struct {
		point string
		count int64
	}
	hits atomic.Int64
)

func readPoint() {
	point, count, _ := strings.Cut(os.Getenv(Env), ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 {
		n = 1
	}
	armed.point, armed.count = point, n
}

// Hit kills this process and its group when the point is armed.
func Hit(p Point) {
	read.Do(readPoint)
	if armed.point == "" || armed.point != string(p) || hits.Add(1) < armed.count {
		return
	}
	_ = syscall.Kill(0, syscall.SIGKILL) // which ends us, too
	select {}
}
