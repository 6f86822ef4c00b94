package backend

import "errors"

// What a store's error can wrap. Every other error means that the store did not answer.
var (
	// ErrTooLarge says that the store can never take an answer of this size: the engine stores a tombstone instead.
	ErrTooLarge = errors.New("backend: the answer is too large for the store")

	// ErrCorrupt says that a stored record cannot be read. It is never run again and never overwritten.
	ErrCorrupt = errors.New("idem: the stored record cannot be read")

	// ErrVersion says that a stored record or a schema is newer than this library, or was written by another codec.
	ErrVersion = errors.New("idem: the stored record was written by another version or codec")

	// ErrUnknownUser says that the claim names a user whom the store's foreign key does not know. Nothing was claimed.
	ErrUnknownUser = errors.New("backend: there is no such user")

	// ErrConflict says that the database rolled a whole transaction back (serialization failure, deadlock) and that it
	// may be run again.
	ErrConflict = errors.New("backend: the transaction was rolled back in favour of another")

	// ErrCommitUnknown says that COMMIT was sent and that its answer did not come.
	ErrCommitUnknown = errors.New("idem: it is not known whether the transaction committed; retry with the same key")

	// ErrUnsupported says that this store cannot do what was asked.
	ErrUnsupported = errors.New("backend: not supported by this store")
)
