"""What a gate leaves: JSON, JUnit XML, Markdown for a pull request, and text for a terminal."""
