module github.com/idem-go/idem/drivers/pq

go 1.26.0

replace github.com/idem-go/idem => ../..

require (
	github.com/idem-go/idem v0.0.0-00010101000000-000000000000
	github.com/jmoiron/sqlx v1.4.0
	github.com/lib/pq v1.12.3
	github.com/stretchr/testify v1.12.1
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect
