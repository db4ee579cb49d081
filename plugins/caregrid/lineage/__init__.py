"""What came from what: columns of tables read from SQL, and runs told as OpenLineage events in files."""
