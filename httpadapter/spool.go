package httpadapter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrAnswerTooLarge is what a handler's write gets when its answer has grown past the option MaxAnswer.
var ErrAnswerTooLarge = errors.New("httpadapter: the answer is larger than MaxAnswer")

// leastKept is how much of a body stays in memory whatever can be stored: a file is not worth it for less.
const leastKept = 64 << 10

// spool is a file that holds a body which is too large to be stored, until the client gets it. Its name is taken away at
// once, so that not even a crash leaves it behind.
type spool struct {
	dir  string // empty for the system's
	most int64

	file *os.File
	name string // empty once it is taken away
	size int64
}

// write appends to the file, which the first call makes.
func (s *spool) write(p []byte) error {
	if s.size+int64(len(p)) > s.most {
		return ErrAnswerTooLarge
	}
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		return fmt.Errorf("httpadapter: a large answer could not be kept for its client: %w", err)
	}
	return nil
}

func (s *spool) open() (err error) {
	if s.file, err = os.CreateTemp(s.dir, "idem-answer-*"); err != nil {
		s.file = nil
		return fmt.Errorf("httpadapter: no file for a large answer: %w", err)
	}
	s.name = s.file.Name()
	s.unlink()
	return nil
}

// unlink takes the name away; where an open file keeps its name it stays until the file is closed.
func (s *spool) unlink() {
	if err := os.Remove(s.name); err == nil || errors.Is(err, fs.ErrNotExist) {
		s.name = ""
	}
}

// sendTo copies the whole to w.
func (s *spool) sendTo(w io.Writer) error {
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, io.LimitReader(s.file, s.size))
	return err
}

func (s *spool) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	s.file = nil
	if s.name != "" {
		s.unlink()
	}
}

// MaxAnswer is the most bytes that the body of a guarded answer may have: default 1 GiB. An answer that is larger than
// what can be stored (idem.MaxResult, and at least 64 KiB) waits in a file until its client gets it; past MaxAnswer the
// handler's writes fail with ErrAnswerTooLarge, and its answer is given up: it was done, and all clients get 409 with the
// code answer_not_kept.
func MaxAnswer(bytes int64) Option {
	return option(func(c *config) error {
		if bytes < 0 {
			return optionError("MaxAnswer", "%d bytes is negative", bytes)
		}
		c.spool.most = bytes
		return nil
	})
}

// SpoolDir is the directory of the files in which large answers wait: default that of os.TempDir. Only this user can read
// them, and they have no name where the system allows that. A directory in memory (tmpfs) would defeat their purpose.
func SpoolDir(dir string) Option {
	return option(func(c *config) error {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return optionError("SpoolDir", "%q is not a directory", dir)
		}
		c.spool.dir = dir
		return nil
	})
}
