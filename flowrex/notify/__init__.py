"""Telling people: a message, and the channels that take it.

message   what is told
webhook   JSON over HTTPS, as Slack takes it
mail      SMTP
settings  what both are set by
"""
