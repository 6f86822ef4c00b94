// Package bounds holds the limits that users cannot change and that this project's own tests must.
package bounds

import "time"

// MinLease is the shortest lease that a guard takes. A shorter one would be lost to an ordinary pause of a process or a
// network. Tests on real servers lower it, in an init function, before any guard is made.
var MinLease = time.Second
