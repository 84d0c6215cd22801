"""Telling people: messages that wait on disk until they are sent.

message    what is told
spool      one file for each message and channel, until it is sent or given up
webhook    JSON over HTTPS, as Slack takes it; `mail` SMTP
task       sends what is due, with back-off
"""
